//! The runner process: connection, credits, journal, drain.
