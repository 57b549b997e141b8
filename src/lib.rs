//! Keeps Gloo canary rollouts equal to a git repository.
