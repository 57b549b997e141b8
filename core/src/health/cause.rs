/// What keeps a pod from being ready, the least grave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Not started yet, as far as the kubelet says.
    Starting,
    /// The pod has ended for good, and another one takes its place: it was evicted, its node did not take it,
    /// or its containers are not started again.
    Failed,
    /// No node takes it.
    Unschedulable,
    /// A container ends again and again.
    Crashing,
    /// An image cannot be pulled.
    Image,
    /// A container cannot be made from its configuration.
    Configuration,
}
