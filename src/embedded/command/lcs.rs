//! LCS: the longest common subsequence of two strings.

use super::{integer, is};
use crate::embedded::fault::Fault;
use crate::embedded::spec::{Call, Outcome};

/// Bytes that the table of lengths may take; it grows with the product of the two strings.
const TABLE_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Bytes that follow each other in both strings, by where they begin.
struct Run {
    left: usize,
    right: usize,
    length: usize,
}

/// What the caller wants to see.
#[derive(Default)]
struct Options {
    length_only: bool,
    positions: bool,
    with_length: bool,
    length_min: usize,
}

fn options(args: &[&[u8]]) -> Result<Options, Fault> {
    let mut options = Options::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if is(arg, "len") {
            options.length_only = true;
        } else if is(arg, "idx") {
            options.positions = true;
        } else if is(arg, "withmatchlen") {
            options.with_length = true;
        } else if is(arg, "minmatchlen") {
            options.length_min = integer(rest.next().ok_or(Fault::SYNTAX)?)?.max(0) as usize;
        } else {
            return Err(Fault::SYNTAX);
        }
    }
    if options.length_only && options.positions {
        return Err(Fault::new("ERR If you want both the length and indexes, please just use IDX."));
    }
    Ok(options)
}

/// The runs of the subsequence, last one first.
fn common_runs(left: &[u8], right: &[u8]) -> Result<Vec<Run>, Fault> {
    let width = right.len() + 1;
    let cells = (left.len() + 1).saturating_mul(width);
    if cells > TABLE_BYTES_MAX / size_of::<u32>() {
        return Err(Fault::new("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"));
    }
    // The length for the first `i` bytes of one and the first `j` of the other.
    let mut lengths = vec![0_u32; cells];
    for (i, x) in left.iter().enumerate() {
        for (j, y) in right.iter().enumerate() {
            let above = i * width + j;
            let longer = lengths[above + 1].max(lengths[above + width]);
            lengths[above + width + 1] = if x == y { lengths[above] + 1 } else { longer };
        }
    }
    let mut runs: Vec<Run> = Vec::new();
    let (mut i, mut j) = (left.len(), right.len());
    while i > 0 && j > 0 {
        if left[i - 1] == right[j - 1] {
            let adjacent = runs.last_mut().filter(|run| run.left == i && run.right == j);
            (i, j) = (i - 1, j - 1);
            match adjacent {
                Some(run) => *run = Run { left: i, right: j, length: run.length + 1 },
                None => runs.push(Run { left: i, right: j, length: 1 }),
            }
        } else if lengths[(i - 1) * width + j] > lengths[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    Ok(runs)
}

pub fn lcs(call: &mut Call<'_>, args: &[&[u8]]) -> Outcome {
    let options = options(&args[3..])?;
    let mut text = |key| match call.core.db.get::<Vec<u8>>(key) {
        Ok(value) => Ok(value.cloned().unwrap_or_default()),
        Err(_) => Err(Fault::new("ERR The specified keys must contain string values")),
    };
    let (left, right) = (text(args[1])?, text(args[2])?);
    let runs = common_runs(&left, &right)?;
    let total: usize = runs.iter().map(|run| run.length).sum();
    let out = &mut *call.out;
    if options.length_only {
        out.count(total);
        return Ok(());
    }
    if !options.positions {
        let parts = runs.iter().rev().map(|run| &left[run.left..run.left + run.length]);
        out.bulk(&parts.collect::<Vec<_>>().concat());
        return Ok(());
    }
    let shown: Vec<&Run> = runs.iter().filter(|run| run.length >= options.length_min).collect();
    out.map(2);
    out.bulk(b"matches");
    out.array(shown.len());
    for run in shown {
        out.array(2 + usize::from(options.with_length));
        for start in [run.left, run.right] {
            out.array(2);
            out.count(start);
            out.count(start + run.length - 1);
        }
        if options.with_length {
            out.count(run.length);
        }
    }
    out.bulk(b"len");
    out.count(total);
    Ok(())
}
