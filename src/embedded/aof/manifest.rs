//! The manifest: which files make up the store, in Redis' own format.
//!
//! One line a part: `file NAME seq NUMBER type b|i|h` (base, incremental, history). It is replaced as a whole by a
//! rename, so a crash leaves the old one or the new one.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;

const NAME: &str = "appendonly.aof.manifest";
const PREFIX: &str = "appendonly.aof";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    pub number: u64,
}

/// The files in the order in which they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    pub base: Option<Part>,
    pub increments: Vec<Part>,
}

impl Manifest {
    /// Reads the manifest of a folder; none when the folder has none.
    pub fn read(disk: &dyn Disk, folder: &Path) -> io::Result<Option<Manifest>> {
        let mut text = String::new();
        match disk.read(&folder.join(NAME)) {
            Ok(mut file) => file.read_to_string(&mut text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Manifest::parse(&text).map(Some).map_err(|why| {
            let place = folder.join(NAME);
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {why}", place.display()))
        })
    }

    /// Reads the manifest of a folder, or begins an empty one where there is nothing yet. Parts without a manifest are
    /// somebody's data; nothing is begun on top of them.
    pub fn find(disk: &dyn Disk, folder: &Path) -> io::Result<Manifest> {
        if let Some(manifest) = Manifest::read(disk, folder)? {
            return Ok(manifest);
        }
        for path in disk.list(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(PREFIX) && name.ends_with(".aof") && disk.length(&path)? > 0 {
                let why = format!("{name} is there, but no {NAME} that lists it; put it back, or move the files away");
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok(Manifest::default())
    }

    fn parse(text: &str) -> Result<Manifest, String> {
        let mut manifest = Manifest::default();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let wrong = || format!("line {}: it is not `file NAME seq NUMBER type b|i|h`", index + 1);
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let ["file", name, "seq", number, "type", kind, ..] = words[..] else { return Err(wrong()) };
            let name = name.trim_matches('"').to_string();
            if name.contains('/') {
                return Err(format!("line {}: a name of another folder", index + 1));
            }
            let part = Part { name, number: number.parse().map_err(|_| wrong())? };
            match kind {
                "b" if manifest.base.is_none() => manifest.base = Some(part),
                "b" => return Err(format!("line {}: a second base", index + 1)),
                "i" => manifest.increments.push(part),
                "h" => {}
                _ => return Err(wrong()),
            }
        }
        Ok(manifest)
    }

    /// Puts this manifest in the place of the folder's.
    pub fn write(&self, disk: &dyn Disk, folder: &Path) -> io::Result<()> {
        let fresh = folder.join(format!("temp-{NAME}"));
        let file = disk.append_to(&fresh)?;
        file.truncate(0)?;
        file.append(self.text().as_bytes())?;
        file.sync()?;
        disk.rename(&fresh, &folder.join(NAME))?;
        disk.sync_folder(folder)
    }

    fn text(&self) -> String {
        let line = |part: &Part, kind: char| format!("file {} seq {} type {kind}\n", part.name, part.number);
        let base = self.base.iter().map(|part| line(part, 'b'));
        base.chain(self.increments.iter().map(|part| line(part, 'i'))).collect()
    }

    /// All files in the order in which they are read.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.increments)
    }

    /// The file that is written to.
    pub fn current(&self, folder: &Path) -> Option<PathBuf> {
        self.increments.last().map(|part| folder.join(&part.name))
    }

    /// Where the base is.
    pub fn base_path(&self, folder: &Path) -> PathBuf {
        self.base.as_ref().map(|part| folder.join(&part.name)).unwrap_or_default()
    }

    /// A new base, so many after the present one.
    pub fn next_base(&self, steps: u64) -> Part {
        let number = self.base.as_ref().map_or(0, |part| part.number) + steps;
        Part { name: format!("{PREFIX}.{number}.base.aof"), number }
    }

    /// A manifest of a new base and a new incremental file, so many numbers after this one.
    pub fn after(&self, steps: u64) -> Manifest {
        let number = self.increments.last().map_or(0, |part| part.number) + steps;
        let increment = Part { name: format!("{PREFIX}.{number}.incr.aof"), number };
        Manifest { base: Some(self.next_base(steps)), increments: vec![increment] }
    }

    /// A new incremental file, after the present ones.
    pub fn next_increment(&self) -> Part {
        let number = self.increments.last().map_or(0, |part| part.number) + 1;
        Part { name: format!("{PREFIX}.{number}.incr.aof"), number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_redis_writes_it() {
        let text = "file appendonly.aof.3.base.aof seq 3 type b\nfile appendonly.aof.2.incr.aof seq 2 type h\n\
                    file appendonly.aof.7.incr.aof seq 7 type i\n";
        let manifest = Manifest::parse(text).expect("it is one");
        assert_eq!(manifest.parts().map(|part| part.number).collect::<Vec<_>>(), [3, 7]);
        assert_eq!(Manifest::parse(&manifest.text()), Ok(manifest.clone()));
        assert_eq!(manifest.next_base(1).name, "appendonly.aof.4.base.aof");
        assert_eq!(manifest.next_increment().name, "appendonly.aof.8.incr.aof");
        let error = Manifest::parse("file a seq x type b").expect_err("no number");
        assert!(error.starts_with("line 1"), "{error}");
    }
}
