//! The few file operations the store needs, as a trait, so that each of them can fail in a test.
//!
//! All names live in one folder. [`DiskFiles`] is the real one; [`MemoryFiles`] keeps everything in
//! memory, knows what a power cut would leave, and can be told to fail.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Files of one folder. Names hold no separators.
pub trait Files: Send + std::fmt::Debug {
    /// Creates (or empties) a file and writes `bytes`; not durable before [`sync`](Self::sync).
    ///
    /// # Errors
    /// What the file system says; part of the bytes may be there.
    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Makes the content of the file written last durable.
    ///
    /// # Errors
    /// What the file system says; the content must then be taken as lost, and syncing again proves
    /// nothing (the kernel may have dropped the pages).
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Gives a file another name, replacing whatever had it, in one step.
    ///
    /// # Errors
    /// What the file system says; nothing has changed.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Makes the names of the folder durable.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_folder(&mut self) -> io::Result<()>;

    /// All names, sorted.
    ///
    /// # Errors
    /// What the file system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// The content of a file.
    ///
    /// # Errors
    /// What the file system says, or longer than `bytes_max`.
    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Vec<u8>>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// A folder on disk.
#[derive(Debug)]
pub struct DiskFiles {
    folder: PathBuf,
    written: Option<(String, File)>,
}

impl DiskFiles {
    /// The folder at `folder`; made if it is missing, readable by its owner only.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let folder = folder.into();
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder, written: None })
    }
}

impl Files for DiskFiles {
    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.folder.join(name))?;
        file.write_all(bytes)?;
        self.written = Some((name.to_owned(), file));
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        // The descriptor that wrote reports the errors of its own writes; a new one might not.
        match self.written.take() {
            Some((written, file)) if written == name => file.sync_all(),
            Some(_) | None => Err(io::Error::other("the file was not written last")),
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
        File::open(self.folder.join(name))?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > bytes_max {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than any file of the store"));
        }
        Ok(bytes)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.folder.join(name))
    }
}

#[derive(Clone, Debug, Default)]
struct Content {
    written: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Default)]
struct Memory {
    contents: BTreeMap<u64, Content>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    next: u64,
    operations: u64,
    fail_at: Option<(u64, io::ErrorKind)>,
}

/// A folder in memory; clones show the same folder.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(Arc<Mutex<Memory>>);

impl MemoryFiles {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changing operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.memory().operations
    }

    /// The changing operation with this number (counted from 0) and all later ones fail with `kind`;
    /// a write leaves half of its bytes.
    pub fn fail_from(&self, operation: u64, kind: io::ErrorKind) {
        self.memory().fail_at = Some((operation, kind));
    }

    /// What is found after a power cut: contents that were not synced are lost; names that were not
    /// synced are lost too, unless the file system happened to write them (`names_survive`).
    #[must_use]
    pub fn after_power_cut(&self, names_survive: bool) -> Self {
        let memory = self.memory();
        let names = if names_survive { memory.names.clone() } else { memory.durable_names.clone() };
        let contents = memory
            .contents
            .iter()
            .map(|(&number, content)| {
                let durable = content.durable.clone();
                (number, Content { written: durable.clone(), durable })
            })
            .collect();
        Self(Arc::new(Mutex::new(Memory {
            contents,
            durable_names: names.clone(),
            names,
            next: memory.next,
            ..Memory::default()
        })))
    }
}

impl Memory {
    fn begin(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.fail_at {
            Some((at, kind)) if number >= at => Err(kind.into()),
            Some(_) | None => Ok(()),
        }
    }

    fn number(&self, name: &str) -> io::Result<u64> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Files for MemoryFiles {
    fn write(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut memory = self.memory();
        let result = memory.begin();
        let kept = if result.is_ok() { bytes } else { bytes.get(..bytes.len() / 2).unwrap_or_default() };
        let number = memory.next;
        memory.next += 1;
        memory.contents.insert(number, Content { written: kept.to_vec(), durable: Vec::new() });
        memory.names.insert(name.to_owned(), number);
        result
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut memory = self.memory();
        memory.begin()?;
        let number = memory.number(name)?;
        if let Some(content) = memory.contents.get_mut(&number) {
            content.durable = content.written.clone();
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut memory = self.memory();
        memory.begin()?;
        let number = memory.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        memory.names.insert(to.to_owned(), number);
        Ok(())
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        let mut memory = self.memory();
        memory.begin()?;
        memory.durable_names = memory.names.clone();
        Ok(())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.memory().names.keys().cloned().collect())
    }

    fn read(&self, name: &str, bytes_max: usize) -> io::Result<Vec<u8>> {
        let memory = self.memory();
        let number = memory.number(name)?;
        let bytes = memory.contents.get(&number).map(|content| content.written.clone()).unwrap_or_default();
        if bytes.len() > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut memory = self.memory();
        memory.begin()?;
        memory.names.remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}
