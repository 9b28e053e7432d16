//! What a site and a client may write: the shipped files, wrong ones, and arbitrary text.

mod arbitrary_text;
mod shipped_files;
mod wrong_files;
