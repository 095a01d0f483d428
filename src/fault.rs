//! Points in a login at which a test may have the process crash, to see that nobody is the worse for it.
//!
//! A build with debug assertions reads the variable `ONESEAT_FAULT` once: the word of a point, and after a colon how many
//! times it is passed before the process aborts, 1 where nothing is said (`after_bind`, `after_reply:20`). A word that
//! names no point stops the start. A build without debug assertions reads nothing, and every call here is empty.

/// Where a login can end halfway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// The script was not sent yet.
    BeforeScript,
    /// The store has done everything, and nothing of its answer was carried out.
    AfterScript,
    /// The session is in the local map, its client knows nothing.
    AfterBind,
    /// The answer waits to be written, other effects stand after it.
    AfterReply,
    /// Whoever was displaced here has been told.
    AfterKick,
    /// Every effect was carried out; the answer still waits to be written.
    BeforeWrite,
}

impl Point {
    /// Every point, in the order in which a login passes them.
    pub const ALL: [Point; 6] = [
        Point::BeforeScript,
        Point::AfterScript,
        Point::AfterBind,
        Point::AfterReply,
        Point::AfterKick,
        Point::BeforeWrite,
    ];

    /// The word by which `ONESEAT_FAULT` names it.
    pub const fn word(self) -> &'static str {
        match self {
            Point::BeforeScript => "before_script",
            Point::AfterScript => "after_script",
            Point::AfterBind => "after_bind",
            Point::AfterReply => "after_reply",
            Point::AfterKick => "after_kick",
            Point::BeforeWrite => "before_write",
        }
    }
}

/// Checks what the variable says, so that a slip does not pass for a test. Answers what is wrong with it.
pub fn check() -> Result<(), String> {
    armed::check()
}

/// A login has come this far. Aborts the process where a test wants that.
#[inline]
pub fn pass(point: Point) {
    armed::pass(point);
}

#[cfg(not(debug_assertions))]
mod armed {
    use super::Point;

    pub fn check() -> Result<(), String> {
        Ok(())
    }

    #[inline(always)]
    pub fn pass(_: Point) {}
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Point;

    /// The variable, as read at its first use; an error where it cannot be read.
    static WANTED: OnceLock<Result<Option<Wanted>, String>> = OnceLock::new();

    /// The crash that a test asked for.
    #[derive(Debug)]
    pub struct Wanted {
        pub point: Point,
        /// How many times the point is still passed, the crash included.
        pub left: AtomicU64,
    }

    /// Reads the value of the variable.
    pub fn parse(text: &str) -> Result<Wanted, String> {
        let (word, times) = text.split_once(':').unwrap_or((text, "1"));
        let point = Point::ALL.into_iter().find(|point| point.word() == word);
        let times = times.parse().ok().filter(|times| *times > 0);
        match (point, times) {
            (Some(point), Some(times)) => Ok(Wanted { point, left: AtomicU64::new(times) }),
            _ => {
                let words = Point::ALL.map(Point::word).join(", ");
                Err(format!("ONESEAT_FAULT={text}: a point is one of {words}; a number from 1 on may follow a colon"))
            }
        }
    }

    fn wanted() -> &'static Result<Option<Wanted>, String> {
        let read = || std::env::var("ONESEAT_FAULT").ok().map(|text| parse(&text)).transpose();
        WANTED.get_or_init(read)
    }

    pub fn check() -> Result<(), String> {
        wanted().as_ref().map(|_| ()).map_err(Clone::clone)
    }

    pub fn pass(point: Point) {
        let Ok(Some(wanted)) = wanted() else { return };
        if wanted.point == point && wanted.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            eprintln!("ONESEAT_FAULT: the process ends at {}", point.word());
            std::process::abort();
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn points_are_named_by_their_words() {
        for point in Point::ALL {
            let wanted = armed::parse(point.word()).expect("every point has a word");
            assert_eq!((wanted.point, wanted.left.into_inner()), (point, 1));
        }
        let wanted = armed::parse("after_bind:20").expect("a number may follow");
        assert_eq!((wanted.point, wanted.left.into_inner()), (Point::AfterBind, 20));
    }

    #[test]
    fn a_slip_is_refused() {
        for text in ["", "after", "after_bind:", "after_bind:0", "after_bind:x", "AFTER_BIND"] {
            assert!(armed::parse(text).is_err_and(|error| error.contains("before_script")), "{text}");
        }
    }
}
