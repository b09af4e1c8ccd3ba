//! Facts about real reports, one test each.
