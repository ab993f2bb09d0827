//! Tables of services while they move.
