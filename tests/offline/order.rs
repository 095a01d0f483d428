//! Scripts may not depend on an order that Redis leaves open: each run has another one, by its seed.

use oneseat::offline::{Options, Suite, runner};

use crate::{ECHO, SAY, run};

const TEST: &str = "it('takes the first', function()
  redis.call('HSET', key('seat', '1'), 'a', '1', 'b', '2', 'c', '3', 'd', '4')
  assert.equal('4a', run('echo', { uid = '1', note = '' }).reply.json.text)
end)";

fn run_with(body: &str, test: &str, seed: u64) -> (usize, String) {
    let script = ECHO.replace("BODY", body);
    let files = [("lib/say.lua", SAY), ("echo/v1.lua", script.as_str()), ("echo/test.lua", test)];
    let (tally, report) = run(&files, &Options { seed, ..Options::default() });
    (tally.failed, report)
}

#[test]
fn a_script_that_takes_the_first_of_unordered_fields_fails_and_the_seed_is_printed() {
    for command in ["HKEYS", "HGETALL"] {
        let body = format!("note = redis.call('{command}', seat_key)[1]");
        let failed = (0..20).filter(|seed| {
            let (failed, report) = run_with(&body, TEST, *seed);
            assert_eq!(report.contains(&format!("\nseed {seed}\n")), failed == 1, "{report}");
            failed == 1
        });
        let failed = failed.count();
        assert!((5..20).contains(&failed), "{command}: {failed} of 20 seeds");
    }
}

#[test]
fn a_seed_always_gives_the_same_order() {
    let body = "note = table.concat(redis.call('HKEYS', seat_key))";
    let test = TEST.replace("'4a'", "'nothing'");
    let report = |seed| run_with(body, &test, seed).1;
    assert_eq!(report(3), report(3));
    assert!((0..8).any(|seed| report(seed).split("seed").next() != report(3).split("seed").next()));
}

#[test]
fn fields_stay_with_their_values_and_nothing_gets_lost() {
    let body = "local flat, pairs_found = redis.call('HGETALL', seat_key), {}
for i = 1, #flat, 2 do pairs_found[#pairs_found + 1] = flat[i] .. flat[i + 1] end
table.sort(pairs_found)
note = table.concat(pairs_found)";
    let test = TEST.replace("'4a'", "'4a1b2c3d4'");
    for seed in 0..8 {
        let (failed, report) = run_with(body, &test, seed);
        assert_eq!(failed, 0, "{report}");
    }
}

#[test]
fn random_picks_follow_the_seed() {
    let body = "note = redis.call('HRANDFIELD', seat_key)";
    let test = TEST.replace("'4a'", "'nothing'");
    let picked = |seed: u64| {
        let (_, report) = run_with(body, &test, seed);
        report.split("got \"4").nth(1).expect("the report shows what was picked").chars().next()
    };
    assert_eq!(picked(5), picked(5));
    assert!((0..20).any(|seed| picked(seed) != picked(5)));
}

#[test]
fn what_a_test_asks_by_itself_comes_as_it_is_stored() {
    let test = "it('is ordered', function()
  for i = 1, 9 do redis.call('HSET', 'h', i, i) end
  assert.equal('1 2 3 4 5 6 7 8 9', table.concat(redis.call('HKEYS', 'h'), ' '))
  run('echo', { uid = '1' })
end)";
    for seed in 0..4 {
        let (failed, report) = run_with("", test, seed);
        assert_eq!(failed, 0, "{report}");
    }
}

#[test]
fn the_shipped_scripts_do_not_care() {
    let mut suite = Suite::find(None).expect("the built-in scripts are well-formed");
    suite.files.retain(|file| file.source.label.ends_with("/test.lua"));
    for seed in 1..=4 {
        let mut report = Vec::new();
        let options = Options { seed, ..Options::default() };
        let tally = runner::run(&suite, &options, &mut report).expect("the run goes on");
        assert_eq!(tally.tally().failed, 0, "{}", String::from_utf8_lossy(&report));
    }
}
