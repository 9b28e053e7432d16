//! The durable store of job documents. Acknowledged means durable: [`JobStore::put`] returns when the
//! document survives a power cut, or it returns an error.
//!
//! One file a job, named `job-000001-<hash>.json`, holding the canonical text whose SHA-256 is the hash:
//! the name proves the content. A file whose content does not fit its name is set aside under another
//! name and listed, never dropped. Beside them `boot` counts the starts of the daemon, so that run names
//! are never used twice.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::files::Files;

/// Jobs that may be stored.
pub const JOBS_MAX: usize = 10_000;
/// Longest document, bytes.
pub const DOCUMENT_BYTES_MAX: usize = 8 * 1024 * 1024;

const TEMPORARY: &str = "writing.tmp";
const BOOT: &str = "boot";
const QUARANTINED: &str = ".quarantined";

/// One stored job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredJob {
    /// The name it was accepted under.
    pub job_id: String,
    /// SHA-256 of the canonical text, hexadecimal.
    pub document_hash: String,
}

impl StoredJob {
    fn file_name(&self) -> String {
        format!("{}-{}.json", self.job_id, self.document_hash)
    }
}

/// Why a job is not stored or not found.
#[derive(Debug)]
pub enum StoreError {
    /// The file system refused; the store goes on.
    Refused(io::Error),
    /// Writing to disk failed once; nothing is written any more until the daemon is started again.
    Fenced(String),
    /// There are [`JOBS_MAX`] jobs.
    Full,
    /// No such job.
    Unknown,
    /// The file does not hold any more what was stored.
    Corrupt(String),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => write!(formatter, "{error}"),
            Self::Fenced(first) => {
                write!(formatter, "the store is read-only since writing to disk failed ({first})")
            }
            Self::Full => write!(formatter, "{JOBS_MAX} jobs are stored, which is the limit"),
            Self::Unknown => write!(formatter, "no such job"),
            Self::Corrupt(file) => write!(formatter, "the file {file} was changed from outside"),
        }
    }
}

impl std::error::Error for StoreError {}

/// The canonical text of a document: keys sorted, no blanks. Equal documents have equal texts.
#[must_use]
pub fn canonical_text(document: &Value) -> String {
    // serde_json keeps objects in a sorted map (its feature `preserve_order` is off).
    document.to_string()
}

/// SHA-256 of a canonical text, hexadecimal.
#[must_use]
pub fn document_hash(canonical: &str) -> String {
    let mut hash = String::with_capacity(64);
    for byte in Sha256::digest(canonical.as_bytes()) {
        // Writing to a string cannot fail.
        let _ignored = write!(hash, "{byte:02x}");
    }
    hash
}

/// The store.
#[derive(Debug)]
pub struct JobStore {
    files: Box<dyn Files>,
    jobs: Vec<StoredJob>,
    quarantined: Vec<String>,
    next_job: u32,
    boot: u32,
    fenced: Option<String>,
}

impl JobStore {
    /// Opens the store: removes what a power cut left half written, sets aside what is corrupt, counts
    /// the start.
    ///
    /// # Errors
    /// What the file system says, or `InvalidData` when the boot counter cannot be read.
    pub fn open(mut files: Box<dyn Files>) -> io::Result<Self> {
        let mut jobs = Vec::new();
        let mut quarantined = Vec::new();
        let mut last_job = 0;
        for name in files.list()? {
            if name == TEMPORARY {
                files.remove(&name)?;
            } else if name.ends_with(QUARANTINED) {
                last_job = last_job.max(job_number(&name).unwrap_or(0));
                quarantined.push(name);
            } else if let Some(number) = job_number(&name) {
                last_job = last_job.max(number);
                match intact(files.as_ref(), &name) {
                    Some(job) => jobs.push(job),
                    None => {
                        let aside = format!("{name}{QUARANTINED}");
                        files.rename(&name, &aside)?;
                        quarantined.push(aside);
                    }
                }
            }
        }
        jobs.sort_by_key(|job| job_number(&job.file_name()));

        let boot = match files.read(BOOT, 32) {
            Ok(bytes) => std::str::from_utf8(&bytes)
                .ok()
                .and_then(|text| text.trim().parse::<u32>().ok())
                .ok_or_else(|| {
                    io::Error::new(
                        io::ErrorKind::InvalidData,
                        "the boot counter `boot` in the state folder is damaged: write the number of starts into it, or remove it",
                    )
                })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let boot = boot.saturating_add(1);
        files.write(TEMPORARY, boot.to_string().as_bytes())?;
        files.sync(TEMPORARY)?;
        files.rename(TEMPORARY, BOOT)?;
        files.sync_folder()?;

        Ok(Self { files, jobs, quarantined, next_job: last_job.saturating_add(1), boot, fenced: None })
    }

    /// Number of this start of the daemon, from 1.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// The stored jobs, oldest first.
    #[must_use]
    pub fn jobs(&self) -> &[StoredJob] {
        &self.jobs
    }

    /// Names of the files that were set aside because their content was not what was stored.
    #[must_use]
    pub fn quarantined(&self) -> &[String] {
        &self.quarantined
    }

    /// Stores a canonical text. The same text again gives the same job. Returns whether it was new.
    /// Blocks until the disk has it (milliseconds; seconds on a slow disk).
    ///
    /// # Errors
    /// The job is then not acknowledged; after a restart it may be there, whole, or not.
    pub fn put(&mut self, canonical: &str) -> Result<(StoredJob, bool), StoreError> {
        let hash = document_hash(canonical);
        if let Some(job) = self.jobs.iter().find(|job| job.document_hash == hash) {
            return Ok((job.clone(), false));
        }
        if let Some(first) = &self.fenced {
            return Err(StoreError::Fenced(first.clone()));
        }
        if self.jobs.len() >= JOBS_MAX {
            return Err(StoreError::Full);
        }
        let job = StoredJob { job_id: format!("job-{:06}", self.next_job), document_hash: hash };

        if let Err(error) = self.files.write(TEMPORARY, canonical.as_bytes()) {
            // A full disk: give back what was taken. Failing that too changes nothing; opening cleans up.
            let _ignored = self.files.remove(TEMPORARY);
            return Err(StoreError::Refused(error));
        }
        self.files.sync(TEMPORARY).map_err(|error| self.fence(&error))?;
        self.files.rename(TEMPORARY, &job.file_name()).map_err(StoreError::Refused)?;
        self.files.sync_folder().map_err(|error| self.fence(&error))?;

        self.next_job = self.next_job.saturating_add(1);
        self.jobs.push(job.clone());
        Ok((job, true))
    }

    /// A stored job.
    #[must_use]
    pub fn find(&self, job_id: &str) -> Option<&StoredJob> {
        self.jobs.iter().find(|job| job.job_id == job_id)
    }

    /// The canonical text of a stored job, proven against its hash.
    ///
    /// # Errors
    /// `Unknown`, `Corrupt`, or what the file system says.
    pub fn document(&self, job_id: &str) -> Result<String, StoreError> {
        let job = self.find(job_id).ok_or(StoreError::Unknown)?;
        let bytes = self.files.read(&job.file_name(), DOCUMENT_BYTES_MAX).map_err(StoreError::Refused)?;
        let text = String::from_utf8(bytes).map_err(|_| StoreError::Corrupt(job.file_name()))?;
        if document_hash(&text) == job.document_hash {
            Ok(text)
        } else {
            Err(StoreError::Corrupt(job.file_name()))
        }
    }

    /// After a failed sync nobody knows what is on disk; trying again would only seem to work.
    fn fence(&mut self, error: &io::Error) -> StoreError {
        self.fenced = Some(error.to_string());
        StoreError::Fenced(error.to_string())
    }
}

/// `job-000001-<hash>.json` → 1.
fn job_number(name: &str) -> Option<u32> {
    name.strip_prefix("job-")?.split('-').next()?.parse().ok()
}

/// The job in this file if its content is what the name says.
fn intact(files: &dyn Files, name: &str) -> Option<StoredJob> {
    let stem = name.strip_suffix(".json")?;
    let (job_id, hash) = stem.rsplit_once('-')?;
    let bytes = files.read(name, DOCUMENT_BYTES_MAX).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    (document_hash(&text) == hash)
        .then(|| StoredJob { job_id: job_id.to_owned(), document_hash: hash.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::super::files::{DiskFiles, MemoryFiles};
    use super::*;

    fn open(files: &MemoryFiles) -> JobStore {
        JobStore::open(Box::new(files.clone())).unwrap()
    }

    #[test]
    fn the_same_content_gets_the_same_job_whatever_its_layout() {
        let mut store = open(&MemoryFiles::default());
        let one: Value = serde_json::from_str(r#"{"b": 1, "a": [1.50, true]}"#).unwrap();
        let two: Value = serde_json::from_str("{\"a\":[1.5,true],\n\"b\":1}").unwrap();
        let (first, new) = store.put(&canonical_text(&one)).unwrap();
        assert!(new);
        assert_eq!(store.put(&canonical_text(&two)).unwrap(), (first.clone(), false));
        assert_eq!(first.job_id, "job-000001");
        // SHA-256 of "abc", FIPS 180-2, appendix B.1.
        assert_eq!(document_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(store.document("job-000001").unwrap(), r#"{"a":[1.5,true],"b":1}"#);
    }

    #[test]
    fn whatever_step_fails_acknowledged_jobs_survive_and_the_others_are_whole_or_absent() {
        // Steps of one put: write, sync, rename, sync folder.
        for failing_step in 0..=4 {
            for names_survive in [false, true] {
                for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
                    let files = MemoryFiles::default();
                    let mut store = open(&files);
                    let mut acknowledged = vec![store.put("{\"n\":0}").unwrap().0];
                    files.fail_from(files.operations() + failing_step, kind);
                    let second = store.put("{\"n\":1}");
                    assert_eq!(second.is_ok(), failing_step == 4, "step {failing_step}");
                    acknowledged.extend(second.map(|(job, _)| job).ok());
                    drop(store);

                    let survived = files.after_power_cut(names_survive);
                    let store = open(&survived);
                    for job in &acknowledged {
                        assert!(store.find(&job.job_id).is_some(), "step {failing_step}: {job:?} lost");
                    }
                    for job in store.jobs() {
                        let text = store.document(&job.job_id).unwrap();
                        assert!(["{\"n\":0}", "{\"n\":1}"].contains(&text.as_str()));
                    }
                    assert!(store.quarantined().is_empty(), "step {failing_step}: a torn file got a name");
                }
            }
        }
    }

    #[test]
    fn a_failed_sync_fences_the_store_and_a_full_disk_does_not() {
        let files = MemoryFiles::default();
        let mut store = open(&files);
        let (kept, _) = store.put("{\"n\":0}").unwrap();
        files.fail_from(files.operations(), io::ErrorKind::StorageFull);
        assert!(matches!(store.put("{\"n\":1}"), Err(StoreError::Refused(_))));
        files.fail_from(u64::MAX, io::ErrorKind::Other);
        store.put("{\"n\":1}").unwrap();

        files.fail_from(files.operations() + 1, io::ErrorKind::Other);
        assert!(matches!(store.put("{\"n\":2}"), Err(StoreError::Fenced(_))));
        files.fail_from(u64::MAX, io::ErrorKind::Other);
        assert!(matches!(store.put("{\"n\":3}"), Err(StoreError::Fenced(_))));
        // What was acknowledged is still answered, also to a repeated put.
        assert_eq!(store.put("{\"n\":0}").unwrap(), (kept, false));
    }

    #[test]
    fn jobs_and_their_numbers_survive_a_restart_and_every_start_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let start =
            || JobStore::open(Box::new(DiskFiles::open(folder.path().join("state")).unwrap())).unwrap();
        let mut store = start();
        assert_eq!(store.boot(), 1);
        let first = store.put("{\"n\":0}").unwrap().0;
        let second = store.put("{\"n\":1}").unwrap().0;
        drop(store);
        let mut store = start();
        assert_eq!(store.boot(), 2);
        assert_eq!(store.jobs(), [first, second]);
        assert_eq!(store.put("{\"n\":2}").unwrap().0.job_id, "job-000003");
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_listed_never_dropped_and_its_number_not_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let start = || JobStore::open(Box::new(DiskFiles::open(folder.path()).unwrap())).unwrap();
        let mut store = start();
        let job = store.put("{\"n\":0}").unwrap().0;
        let path = folder.path().join(job.file_name());
        std::fs::write(&path, "{\"n\":9}").unwrap();
        assert!(matches!(store.document(&job.job_id), Err(StoreError::Corrupt(_))));
        drop(store);
        for _ in 0..2 {
            let store = start();
            assert!(store.jobs().is_empty());
            assert_eq!(store.quarantined(), [format!("{}{QUARANTINED}", job.file_name())]);
        }
        assert_eq!(start().put("{\"n\":0}").unwrap().0.job_id, "job-000002");
        std::fs::write(folder.path().join(TEMPORARY), "half").unwrap();
        drop(start());
        assert!(!folder.path().join(TEMPORARY).exists());
    }
}
