//! Neighbouring versions in turns over one keyspace: the test that is generated for each pair.

use oneseat::offline::{Options, Tally};

use crate::run;

/// Adds to a sum in the seat.
const SUM: &str = "-- sum v1: add to a sum.
-- @since 0.1.0
-- @mode write
-- @key seat hash the sum
-- @arg uid text the user
-- @arg count int what to add
-- @effect reply the sum
local seat_key = KEYS[1]
local uid, count = ARGV[1], ARGV[2]
local sum = (tonumber(redis.call('HGET', seat_key, 'sum') or nil) or 0) + count
redis.call('HSET', seat_key, 'sum', sum)
return { 1, { 'reply', 0, cjson.encode({ uid = uid, sum = sum }) } }
";

const TEST: &str = "local function add(count) return run('sum', { uid = '1', count = count }).reply.json.sum end
describe('a sum', function()
  it('begins with what comes first', function() assert.equal(5, add(5)) end)
  it('grows', function()
    assert.equal(1, add(1))
    assert.equal(3, add(2))
    assert.equal(6, add(3))
  end)
end)";

fn version(number: u32, from: &str, to: &str) -> String {
    let text = SUM.replace("sum v1", &format!("sum v{number}"));
    let text = text.replace("-- @mode", &format!("-- @change v{number} stores otherwise.\n-- @mode"));
    assert!(text.contains(from), "{text}");
    text.replace(from, to)
}

fn run_versions(versions: &[&str], test: &str) -> (Tally, String) {
    let paths: Vec<_> = (1..=versions.len()).map(|number| format!("sum/v{number}.lua")).collect();
    let files = paths.iter().map(String::as_str).zip(versions.iter().copied());
    let files: Vec<_> = files.chain([("sum/test.lua", test)]).collect();
    run(&files, &Options::default())
}

#[test]
fn a_version_that_reads_what_its_neighbour_wrote_passes() {
    let v2 = version(2, "'sum', sum)", "'sum', sum, 'steps', 1)");
    let (tally, report) = run_versions(&[SUM, &v2], TEST);
    assert_eq!((tally.passed, tally.failed), (4, 0), "{report}");
    for label in ["sum@2/1", "sum@1/2"] {
        assert!(report.contains(&format!("ok   lua/sum/test.lua {label}: 2 in turns\n")), "{report}");
    }
}

#[test]
fn a_form_that_the_older_version_cannot_read_is_found() {
    let v2 = version(2, "'sum'", "'total'");
    let (tally, report) = run_versions(&[SUM, &v2], TEST);
    assert_eq!((tally.passed, tally.failed), (4, 2), "each version passes alone: {report}");
    assert!(report.contains("FAIL lua/sum/test.lua:6 sum@2/1: a sum grows\n     expected 3, got 2\n"), "{report}");
    assert!(
        report.contains("It passes with sum@1 alone and with sum@2 alone, but not where their calls take turns"),
        "{report}"
    );
}

#[test]
fn only_neighbours_have_to_read_each_other() {
    let both = "'HSET', seat_key, 'sum', sum, 'total', sum";
    let v2 = version(2, "'HSET', seat_key, 'sum', sum", both);
    let v3 = version(3, "'HSET', seat_key, 'sum', sum", both)
        .replace("'HGET', seat_key, 'sum'", "'HGET', seat_key, 'total'");
    let (tally, report) = run_versions(&[SUM, &v2, &v3], TEST);
    assert_eq!((tally.passed, tally.failed), (6, 0), "{report}");
    assert_eq!(report.matches(": 2 in turns\n").count(), 4, "{report}");
    let (tally, report) = run_versions(&[SUM, &v3.replace("v3", "v2")], TEST);
    assert_eq!(tally.failed, 2, "as neighbours the first and the last do not: {report}");
}

#[test]
fn a_test_that_fails_with_one_version_alone_is_told_once() {
    let v2 = version(2, "cjson.encode({ uid = uid, sum = sum })", "cjson.encode({ uid = uid, sum = -sum })");
    let (tally, report) = run_versions(&[SUM, &v2], TEST);
    assert_eq!((tally.passed, tally.failed), (2, 2), "{report}");
    assert!(!report.contains("take turns"), "{report}");
}

#[test]
fn a_test_that_chooses_its_version_keeps_it() {
    let v2 = version(2, "'sum'", "'total'");
    let test = "it('stays', function()
      given_version(1)
      run('sum', { uid = '1', count = 1 })
      assert.equal(2, run('sum', { uid = '1', count = 1 }).reply.json.sum)
    end)
    it('says which version ran', function()
      local version = given_version()
      run('sum', { uid = '1', count = 1 })
      assert.equal(given_version(), version)
    end)";
    let (tally, report) = run_versions(&[SUM, &v2], test);
    assert_eq!((tally.passed, tally.failed), (4, 0), "{report}");
}
