//! The host side of the WIT, one module per interface.
