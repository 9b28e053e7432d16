//! The socket: sessions, requests, answers, subscriptions.
