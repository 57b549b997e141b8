use super::outcome::{Outcome, add};
use crate::ObjectRef;
use crate::config::{Cluster, Endpoint, Forward, Locality, Target};
use crate::translate::Translation;

/// Where a request goes, over many requests.
pub(super) fn targets(
    translation: &Translation,
    gateway: &ObjectRef,
    forward: &Forward,
) -> Vec<(Outcome, f64)> {
    let not_found = forward.not_found.unwrap_or(503);
    match &forward.target {
        Target::Cluster(name) => pick(translation, gateway, name, not_found),
        Target::Weighted(clusters) => {
            let sum: f64 = clusters.iter().map(|cluster| f64::from(cluster.weight)).sum();
            let mut outcomes = Vec::new();
            for cluster in clusters.iter().filter(|cluster| cluster.weight > 0) {
                let share = f64::from(cluster.weight) / sum;
                let picked = pick(translation, gateway, &cluster.name, not_found);
                picked.into_iter().for_each(|(o, p)| add(&mut outcomes, o, p * share));
            }
            outcomes
        }
    }
}

/// Which endpoint of a cluster answers: first a locality by its weight and how much of it is there, then one of its
/// endpoints, all alike.
pub(super) fn pick(
    translation: &Translation,
    gateway: &ObjectRef,
    name: &str,
    not_found: u16,
) -> Vec<(Outcome, f64)> {
    let Some(cluster) = translation.cluster(gateway, name) else {
        return vec![(Outcome::status(not_found, ""), 1.0)];
    };
    let mut outcomes = Vec::new();
    for (endpoint, probability) in shares(cluster) {
        let outcome = Outcome::Endpoint {
            cluster: name.to_owned(),
            pod: endpoint.pod.clone(),
            address: endpoint.address.clone(),
            port: endpoint.port,
        };
        add(&mut outcomes, outcome, probability);
    }
    match outcomes.is_empty() {
        true => vec![(Outcome::status(503, "no healthy upstream"), 1.0)],
        false => outcomes,
    }
}

/// A locality has its share as long as one of its endpoints is left: those that drain do not count at all. Where no
/// locality has any left Envoy takes all alike (case 04-not-ready).
fn shares(cluster: &Cluster) -> Vec<(&Endpoint, f64)> {
    let mut all = cluster.localities.iter().flat_map(|it| &it.endpoints);
    let panic = all.all(|endpoint| endpoint.draining);
    let weighted = !panic && cluster.localities.iter().any(|it| it.weight.is_some());
    let usable = |locality: &Locality| -> usize {
        locality.endpoints.iter().filter(|it| panic || !it.draining).count()
    };
    let weight = |locality: &Locality| -> f64 {
        match usable(locality) {
            0 => 0.0,
            usable if !weighted => usable as f64,
            _ => f64::from(locality.weight.unwrap_or_default()),
        }
    };
    let sum: f64 = cluster.localities.iter().map(weight).sum();
    let mut shares = Vec::new();
    for locality in &cluster.localities {
        let count = usable(locality) as f64;
        let endpoints = locality.endpoints.iter().filter(|it| panic || !it.draining);
        shares.extend(endpoints.map(|it| (it, weight(locality) / sum / count)));
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locality(weight: Option<u32>, draining: &[bool]) -> Locality {
        let endpoint = |draining: &bool| Endpoint { draining: *draining, ..Endpoint::default() };
        Locality { weight, endpoints: draining.iter().map(endpoint).collect() }
    }

    fn of(localities: Vec<Locality>) -> Vec<f64> {
        let cluster = Cluster { name: String::new(), localities };
        shares(&cluster).into_iter().map(|(_, share)| (share * 1e6).round() / 1e6).collect()
    }

    #[test]
    fn a_locality_has_its_share_until_it_loses_all_its_endpoints() {
        let two = |one: &[bool]| vec![locality(Some(1), one), locality(Some(1), &[false])];
        assert_eq!(of(two(&[false])), [0.5, 0.5]);
        assert_eq!(of(two(&[false, true])), [0.5, 0.5]);
        assert_eq!(of(two(&[true])), [1.0]);
        assert_eq!(of(vec![locality(Some(9), &[true, true]), locality(Some(1), &[false])]), [1.0]);
        assert_eq!(of(vec![locality(Some(1), &[false, true, true, true])]), [1.0]);
        // Nobody is left: all are taken, whatever their weights.
        assert_eq!(of(vec![locality(Some(1), &[true])]), [1.0]);
        let none = vec![locality(Some(9), &[true, true]), locality(Some(1), &[true])];
        assert_eq!(of(none), [0.333333, 0.333333, 0.333333]);
        assert_eq!(of(vec![locality(None, &[false, false])]), [0.5, 0.5]);
        assert!(of(Vec::new()).is_empty());
    }
}
