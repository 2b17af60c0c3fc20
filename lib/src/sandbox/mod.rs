//! An in-memory tenant to rehearse against: strict where the platform is strict, and never to be
//! mistaken for it.
