//! All scripts, by name and version: found, checked, composed, hashed.
//!
//! The name is the contract, the version is the implementation: callers ask for a name and get its active version.
//! A catalogue with any mistake in it does not come to be; its error lists them all. It never talks to Redis.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use crate::script::argument::{Argument, Arguments};
use crate::script::binding;
use crate::script::bundle::{self, Bundle};
use crate::script::header::{Form, Header, Mode};
use crate::script::key::{Key, Shard};
use crate::script::problem::Problem;
use crate::script::release::TestResult;
use crate::script::tally::Tally;
use crate::script::tree::{FILE_BYTES_MAX, Tree, test_layer};

/// Largest integer that a Lua number holds exactly, and so the largest that an `int` argument may be.
const INT_MAX: i64 = 1 << 53;

/// One version of one script, ready to be loaded and called.
#[derive(Debug)]
pub struct Script {
    pub header: Header,
    pub bundle: Bundle,
    /// What its calls by this process came to.
    pub tally: Tally,
    /// What the fleet kept beside its text; none for what comes from files.
    pub kept: Option<Kept>,
}

/// What came with a version from the fleet, and goes back there if the fleet forgets it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub result: TestResult,
    /// Test files of the version, by path.
    pub tests: BTreeMap<String, String>,
}

/// An argument does not have the form that the header declares.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{script}: argument `{argument}` takes an integer, not `{value}`")]
pub struct ArgumentError {
    pub script: String,
    pub argument: &'static str,
    pub value: String,
}

impl Script {
    /// A version that comes from elsewhere, held against its header as the files of a catalogue are.
    pub fn restore(name: &str, version: u32, bundle: Bundle) -> Result<Self, CatalogueError> {
        let own = bundle.files().last().map(|(_, text)| text).unwrap_or_default();
        let header =
            Header::parse(bundle.label(), name, version, &own).map_err(|problems| CatalogueError { problems })?;
        let problems = binding::check_script(bundle.label(), &header, &own);
        match problems.is_empty() {
            true => Ok(Self { header, bundle, tally: Tally::default(), kept: None }),
            false => Err(CatalogueError { problems }),
        }
    }

    /// Whether callers of the other version can call this one: of their keys, and of their arguments, one list begins with
    /// the other.
    pub fn stands_in_for(&self, other: &Script) -> bool {
        let (mine, others) = (&self.header, &other.header);
        extends(&mine.keys, &others.keys) && extends(&mine.arguments, &others.arguments)
    }

    /// Name of the contract.
    pub fn name(&self) -> &str {
        &self.header.name
    }

    /// Number of the implementation.
    pub fn version(&self) -> u32 {
        self.header.version
    }

    /// Name and version as trails and logs show them: `login@1`.
    pub fn label(&self) -> String {
        format!("{}@{}", self.header.name, self.header.version)
    }

    /// The text that Redis loads.
    pub fn text(&self) -> &str {
        &self.bundle.text
    }

    /// Name for EVALSHA.
    pub fn sha1(&self) -> &str {
        &self.bundle.sha1
    }

    /// Where an error text of Redis comes from, as `lua/login/v1.lua:21`, and what it says.
    pub fn locate(&self, error: &str) -> (String, String) {
        self.bundle.translate(error)
    }

    /// Whether it only reads.
    pub fn mode(&self) -> Mode {
        self.header.mode
    }

    /// Whether a call has to name the user, because keys of one user are declared.
    pub fn needs_uid(&self) -> bool {
        self.header.keys.iter().any(|key| key.of_user())
    }

    /// KEYS of a call, in the header's order. `uid` is used by the keys of a user only.
    pub fn keys(&self, shard: Shard, uid: &str) -> Vec<String> {
        self.header.keys.iter().map(|key| key.name(shard, uid)).collect()
    }

    /// ARGV of a call, in the header's order: an empty text for what was not given. Refuses a text where the header
    /// declares an integer.
    pub fn argv(&self, arguments: &Arguments<'_>) -> Result<Vec<String>, ArgumentError> {
        self.header.arguments.iter().map(|(argument, form)| self.value(*argument, *form, arguments)).collect()
    }

    fn value(&self, argument: Argument, form: Form, arguments: &Arguments<'_>) -> Result<String, ArgumentError> {
        let value = arguments.get(argument).unwrap_or("");
        let is_integer = || value.parse().is_ok_and(|number: i64| (-INT_MAX..=INT_MAX).contains(&number));
        if form == Form::Int && !value.is_empty() && !is_integer() {
            let (script, argument) = (self.label(), argument.word());
            return Err(ArgumentError { script, argument, value: value.to_owned() });
        }
        Ok(value.to_owned())
    }
}

/// Everything that is wrong with the files, one problem a line.
#[derive(Debug, Error)]
pub struct CatalogueError {
    pub problems: Vec<Problem>,
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.problems.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// The scripts by name, each with its versions in ascending order.
#[derive(Debug)]
pub struct Catalogue {
    scripts: BTreeMap<String, Vec<Arc<Script>>>,
}

impl Catalogue {
    /// The scripts inside the binary.
    pub fn embedded() -> Result<Self, CatalogueError> {
        Self::from_tree(&Tree::embedded())
    }

    /// The scripts below a folder that is laid out as `lua/` is.
    pub fn from_dir(root: &Path) -> Result<Self, CatalogueError> {
        let tree = Tree::read(root).map_err(|error| CatalogueError {
            problems: vec![Problem { file: root.display().to_string(), line: 0, message: error.to_string() }],
        })?;
        Self::from_tree(&tree)
    }

    /// The scripts of a tree.
    pub fn from_tree(tree: &Tree) -> Result<Self, CatalogueError> {
        let mut problems = Vec::new();
        let mut scripts: BTreeMap<String, Vec<Arc<Script>>> = BTreeMap::new();
        for (path, text) in tree.files() {
            if text.len() > FILE_BYTES_MAX {
                let message = format!("{} bytes; at most {FILE_BYTES_MAX} are allowed in one file", text.len());
                problems.push(Problem { file: tree.label(path), line: 1, message });
                continue;
            }
            match Place::of(path) {
                Some(Place::Helper(name)) => problems.extend(bundle::check_helper(tree, name)),
                Some(Place::Version(name, version)) => match read_script(tree, path, name, version, text) {
                    Ok(script) => scripts.entry(name.to_owned()).or_default().push(Arc::new(script)),
                    Err(found) => problems.extend(found),
                },
                Some(Place::Test) => {}
                None => problems.push(Problem { file: tree.label(path), line: 1, message: MISPLACED.to_owned() }),
            }
        }
        for versions in scripts.values_mut() {
            versions.sort_by_key(|script| script.version());
            problems.extend(versions.windows(2).filter_map(|pair| contract_break(&pair[0], &pair[1])));
        }
        // A helper is read once for every script that includes it, so its mistakes come up more than once.
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(Self { scripts }) } else { Err(CatalogueError { problems }) }
    }

    /// The version of a script that is called: the highest one.
    pub fn get(&self, name: &str) -> Option<&Arc<Script>> {
        self.versions(name).last()
    }

    /// The version that is called, of every script.
    pub fn active(&self) -> impl Iterator<Item = &Arc<Script>> {
        self.scripts.values().filter_map(|versions| versions.last())
    }

    /// All versions of a script, in ascending order; none if the name is not known.
    pub fn versions(&self, name: &str) -> &[Arc<Script>] {
        self.scripts.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.scripts.keys().map(String::as_str)
    }

    /// Every version of every script.
    pub fn scripts(&self) -> impl Iterator<Item = &Arc<Script>> {
        self.scripts.values().flatten()
    }
}

const MISPLACED: &str = "no place for this file; expected are <name>/v<N>.lua, <name>/test.lua, \
                         <name>/explore.lua and lib/<helper>.lua";

/// What a file is, by its path.
enum Place<'a> {
    Helper(&'a str),
    Version(&'a str, u32),
    Test,
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let (folder, file) = path.strip_suffix(".lua")?.split_once('/')?;
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        match (folder, file) {
            ("lib", helper) if is_word(helper) => Some(Place::Helper(helper)),
            ("lib", _) => None,
            (name, _) if !is_word(name) => None,
            (_, _) if test_layer(&format!("{file}.lua")).is_some() => Some(Place::Test),
            (name, version) => {
                let number = version.strip_prefix('v').filter(|number| !number.starts_with(['0', '+']))?;
                Some(Place::Version(name, number.parse().ok()?))
            }
        }
    }
}

fn read_script(tree: &Tree, path: &str, name: &str, version: u32, text: &str) -> Result<Script, Vec<Problem>> {
    let label = tree.label(path);
    let header = Header::parse(&label, name, version, text)?;
    let problems = binding::check_script(&label, &header, text);
    if !problems.is_empty() {
        return Err(problems);
    }
    let bundle = Bundle::compose(tree, path, &header.includes)?;
    Ok(Script { header, bundle, tally: Tally::default(), kept: None })
}

/// Whether one list begins with the other.
fn extends<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// All versions of a name take the same keys and the same arguments, new ones at the end.
fn contract_break(older: &Script, newer: &Script) -> Option<Problem> {
    let problem = |message| Some(Problem { file: newer.bundle.label().to_owned(), line: 1, message });
    let (name, number) = (older.name(), older.version());
    if !newer.header.keys.starts_with(&older.header.keys) {
        let words: Vec<_> = older.header.keys.iter().copied().map(Key::word).collect();
        return problem(format!(
            "the keys have to begin with those of {name} v{number}, which are {}",
            words.join(", ")
        ));
    }
    if !newer.header.arguments.starts_with(&older.header.arguments) {
        let words: Vec<_> = older.header.arguments.iter().map(|(argument, _)| argument.word()).collect();
        let words = words.join(", ");
        return problem(format!("the arguments have to begin with those of {name} v{number}, which are {words}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u32, keys: &str, arguments: &str) -> String {
        let bound = |words: &str, array: &str, suffix: &str| -> String {
            let words = words.split_whitespace().enumerate();
            words.map(|(i, word)| format!("local {word}{suffix} = {array}[{}]\n", i + 1)).collect()
        };
        let declared = |words: &str, tag: &str, kind: &str| -> String {
            words.split_whitespace().map(|word| format!("-- @{tag} {word} {kind} some\n")).collect()
        };
        let used: Vec<_> = keys.split_whitespace().map(|key| format!("{key}_key")).collect();
        let used = [used.join(", "), arguments.split_whitespace().collect::<Vec<_>>().join(", ")].join(", ");
        format!(
            "-- kick v{number}: it.\n-- @since 0.1.0\n-- @mode read\n-- @change v{number} more.\n{}{}\
             -- @effect reply all\n{}{}return {{ {used} }}\n",
            declared(keys, "key", "hash"),
            declared(arguments, "arg", "int"),
            bound(keys, "KEYS", "_key"),
            bound(arguments, "ARGV", ""),
        )
    }

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let error = Catalogue::from_tree(&Tree::of(files.iter().copied())).expect_err("the files are wrong");
        error.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_highest_version_is_active() {
        let (v2, v10) = (version(2, "seat", "epoch"), version(10, "seat", "epoch number"));
        let tree = Tree::of([("kick/v10.lua", v10.as_str()), ("kick/v2.lua", v2.as_str())]);
        let catalogue = Catalogue::from_tree(&tree).expect("all is well");
        assert_eq!(catalogue.get("kick").expect("it is there").version(), 10);
        assert_eq!(catalogue.versions("kick").len(), 2);
        assert!(catalogue.get("none").is_none());
    }

    #[test]
    fn versions_of_one_name_keep_its_contract() {
        let (v1, v2) = (version(1, "seat", "epoch number"), version(2, "seat", "number epoch"));
        assert_eq!(
            messages(&[("kick/v1.lua", &v1), ("kick/v2.lua", &v2)]),
            ["lua/kick/v2.lua:1: the arguments have to begin with those of kick v1, which are epoch, number"]
        );
        let v2 = version(2, "user", "epoch number");
        assert_eq!(
            messages(&[("kick/v1.lua", &v1), ("kick/v2.lua", &v2)]),
            ["lua/kick/v2.lua:1: the keys have to begin with those of kick v1, which are seat"]
        );
    }

    #[test]
    fn all_problems_are_listed() {
        let v1 = version(1, "seat", "epoch").replace("@mode read", "@mode some");
        let found = messages(&[
            ("kick/v1.lua", &v1),
            ("lib/add.lua", "local function add() end"),
            ("stray.lua", ""),
            ("kick/v01.lua", ""),
        ]);
        let starts = ["lua/kick/v01.lua:1: no place", "lua/kick/v1.lua:", "lua/lib/add.lua:1: ", "lua/stray.lua:1: no"];
        for start in starts {
            assert!(found.iter().any(|line| line.starts_with(start)), "{found:?} lacks {start}");
        }
    }

    #[test]
    fn a_file_of_any_length_is_not_taken() {
        let long = format!("{}{}", version(1, "seat", "epoch"), "-- more\n".repeat(20_000));
        let found = messages(&[("kick/v1.lua", &long)]);
        assert!(found[0].ends_with(" bytes; at most 131072 are allowed in one file"), "{found:?}");
    }

    #[test]
    fn keys_and_arguments_come_in_the_order_of_the_header() {
        let v1 = version(1, "ticket seat", "number epoch sid");
        let catalogue = Catalogue::from_tree(&Tree::of([("kick/v1.lua", v1.as_str())])).expect("all is well");
        let script = catalogue.get("kick").expect("it is there");
        assert!(script.needs_uid());
        assert_eq!(script.keys(Shard(3), "7"), ["os:{3}:ticket:7", "os:{3}:seat:7"]);
        let arguments = Arguments::new().with(Argument::Epoch, "12").with(Argument::Number, "-3");
        assert_eq!(script.argv(&arguments).expect("integers"), ["-3", "12", ""]);
    }

    #[test]
    fn an_argument_that_is_no_integer_is_refused() {
        let v1 = version(1, "seat", "epoch");
        let catalogue = Catalogue::from_tree(&Tree::of([("kick/v1.lua", v1.as_str())])).expect("all is well");
        let script = catalogue.get("kick").expect("it is there");
        for bad in ["1.5", "x", " 1", "9007199254740993"] {
            let error = script.argv(&Arguments::new().with(Argument::Epoch, bad)).expect_err("no integer");
            assert_eq!(error.to_string(), format!("kick@1: argument `epoch` takes an integer, not `{bad}`"));
        }
    }

    #[test]
    fn the_readme_lists_every_key_and_argument() {
        let readme = include_str!("../../lua/README.md");
        let rows_after = |title: &str| -> Vec<&str> {
            let section = readme.split(title).nth(1).expect("the section is there").split("\n## ").next();
            section
                .into_iter()
                .flat_map(str::lines)
                .filter_map(|row| row.strip_prefix("| `")?.split('`').next())
                .collect()
        };
        assert_eq!(rows_after("\n## Keys\n"), Key::ALL.map(Key::word));
        let arguments: Vec<_> = Argument::ALL.iter().map(|argument| argument.word()).collect();
        assert_eq!(rows_after("\n## Arguments\n"), arguments);
    }

    #[test]
    fn the_scripts_inside_the_binary_are_well_formed() {
        if let Err(error) = Catalogue::embedded() {
            panic!("{error}");
        }
    }
}
