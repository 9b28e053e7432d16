//! Jobs: document, store, runner. What an instruction moves is decided in `planning`.
