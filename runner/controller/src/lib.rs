//! Durable queue, groups, leases, API.
