//! What a set of Gloo objects means, as pure functions.
