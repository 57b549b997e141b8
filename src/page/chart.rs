//! The share of each version over time, as a picture: where its pieces are, in the units of its
//! `viewBox`.

use jiff::Timestamp;

use super::moment::{seconds, span};
use super::readable;
use crate::report::{History, PerVersion, Requested};

/// The size of the whole picture.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 176.0;
/// The place of the bands in it; left of them stand percentages, below them times.
const LEFT: f64 = 44.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 148.0;
/// The least distance between two times, so that they can be read.
const APART: f64 = 96.0;
/// The least size of a band that has its version written on it.
const ROOM: (f64, f64) = (56.0, 22.0);
/// A pause of this many seconds is drawn about twice as wide as none.
const UNIT: f64 = 20.0;

/// The picture.
#[derive(Debug, PartialEq)]
pub(super) struct Chart {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Percentages and their heights.
    pub(super) scale: [(&'static str, f64); 3],
    pub(super) bands: Vec<Band>,
    pub(super) ticks: Vec<Tick>,
    /// Where it begins that something newer was asked for, which is not applied yet.
    pub(super) waiting: Option<Waiting>,
    /// The same in words.
    pub(super) words: String,
}

/// One version's share during one stage.
#[derive(Debug, PartialEq)]
pub(super) struct Band {
    pub(super) version: String,
    pub(super) share: u8,
    /// The version's colour, from 0.
    pub(super) colour: usize,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Whether there is room for its name.
    pub(super) is_named: bool,
}

/// A time on the axis.
#[derive(Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) x: f64,
    /// Nothing where there is no room for it.
    pub(super) label: String,
}

/// What was asked for and is not applied yet.
#[derive(Debug, PartialEq)]
pub(super) struct Waiting {
    pub(super) x: f64,
    pub(super) width: f64,
}

/// The same shares from one time to the next.
struct Stage<'a> {
    from: Timestamp,
    weights: &'a PerVersion<u8>,
    waits: bool,
}

/// The versions in the order in which they were first asked for: a version's place is its colour.
pub(super) fn palette(history: &History) -> Vec<&str> {
    let mut versions = Vec::new();
    for step in &history.steps {
        if let Requested::Values { weights, .. } = &step.asked {
            for (version, _) in weights.iter() {
                if !versions.contains(&version) {
                    versions.push(version);
                }
            }
        }
    }
    versions
}

impl Chart {
    /// The history as a picture; `None` while nothing was applied.
    pub(super) fn of(history: &History, now: Timestamp) -> Option<Self> {
        let stages = stages(history);
        let ends: Vec<Timestamp> =
            stages.iter().skip(1).map(|stage| stage.from).chain([now]).collect();
        // Minutes matter during a rollout and weeks pass after it: long pauses are drawn shorter.
        let lengths: Vec<f64> = stages
            .iter()
            .zip(&ends)
            .map(|(stage, end)| 1.0 + (seconds(stage.from, *end).as_secs_f64() / UNIT).ln_1p())
            .collect();
        let unit = (WIDTH - LEFT) / lengths.iter().sum::<f64>();
        let palette = palette(history);
        let (mut bands, mut ticks, mut waiting) = (Vec::new(), Vec::new(), None);
        let mut x = LEFT;
        for (stage, length) in stages.iter().zip(&lengths) {
            let width = length * unit;
            bands.extend(stage.bands(&palette, x, width));
            ticks.push(Tick { x, label: clock(stage.from, now) });
            if stage.waits {
                waiting = Some(Waiting { x, width });
            }
            x += width;
        }
        ticks.push(Tick { x: WIDTH, label: "now".into() });
        leave_room(&mut ticks);
        let (width, height, left, top, bottom) = (WIDTH, HEIGHT, LEFT, TOP, BOTTOM);
        let words = words(&stages, &ends)?;
        let scale = [("100 %", TOP), ("50 %", TOP.midpoint(BOTTOM)), ("0 %", BOTTOM)];
        Some(Self { width, height, left, top, bottom, scale, bands, ticks, waiting, words })
    }
}

impl Stage<'_> {
    /// The newest version at the bottom, so that a canary's share rises from there.
    fn bands(&self, palette: &[&str], x: f64, width: f64) -> Vec<Band> {
        let mut shares: Vec<(usize, u8)> = Vec::new();
        for (version, share) in self.weights.iter().filter(|(_, share)| *share > 0) {
            shares.extend(palette.iter().position(|known| *known == version).map(|c| (c, share)));
        }
        shares.sort_unstable_by(|one, other| other.cmp(one));
        let mut base = BOTTOM;
        let band = |(colour, share): (usize, u8)| {
            let height = (BOTTOM - TOP) * f64::from(share) / 100.0;
            base -= height;
            let version = readable(palette[colour]);
            let is_named = width >= ROOM.0 && height >= ROOM.1 && !self.waits;
            Band { version, share, colour, x, y: base, width, height, is_named }
        };
        shares.into_iter().map(band).collect()
    }
}

/// What was applied one after the other, and last what waits.
fn stages(history: &History) -> Vec<Stage<'_>> {
    let mut stages: Vec<Stage> = Vec::new();
    for step in &history.steps {
        let Requested::Values { weights, .. } = &step.asked else { continue };
        let Some(from) = step.applied_at else { continue };
        if stages.last().is_none_or(|last| !looks_the_same(last.weights, weights)) {
            stages.push(Stage { from, weights, waits: false });
        }
    }
    let newest = history.steps.iter().rev().find_map(|step| match &step.asked {
        Requested::Values { weights, .. } => Some((step, weights)),
        Requested::Errors { .. } => None,
    });
    if let Some((step, asked)) = newest
        && let (Some(last), Some(from)) = (stages.last(), step.accepted_at)
        && step.applied_at.is_none()
        && !looks_the_same(last.weights, asked)
    {
        stages.push(Stage { from, weights: last.weights, waits: true });
    }
    stages
}

/// Whether the same versions have the same shares; others may have none.
fn looks_the_same(one: &PerVersion<u8>, other: &PerVersion<u8>) -> bool {
    let [one, other] = [one, other].map(|weights| weights.iter().filter(|(_, share)| *share > 0));
    one.eq(other)
}

/// Takes the words from ticks that stand too close to the next one that has some, the last first.
fn leave_room(ticks: &mut [Tick]) {
    let mut next = f64::INFINITY;
    for tick in ticks.iter_mut().rev() {
        match next - tick.x < APART {
            true => tick.label.clear(),
            false => next = tick.x,
        }
    }
}

/// The time of day, with the day when it is another one.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let [at, now] = [at, now].map(|time| time.to_zoned(jiff::tz::TimeZone::UTC));
    let form = if at.date() == now.date() { "%H:%M" } else { "%-d %b %H:%M" };
    at.strftime(form).to_string()
}

fn words(stages: &[Stage], ends: &[Timestamp]) -> Option<String> {
    let stage = |(stage, end): (&Stage, &Timestamp)| {
        let shares = stage.weights.iter().filter(|(_, share)| *share > 0);
        let shares: Vec<_> =
            shares.map(|(v, share)| format!("{} {share} %", readable(v))).collect();
        let waiting = if stage.waits { ", waiting for newer shares" } else { "" };
        format!("{} for {}{waiting}", shares.join(" and "), span(stage.from, *end))
    };
    let stages: Vec<_> = stages.iter().zip(ends).map(stage).collect();
    (!stages.is_empty()).then(|| format!("{}.", stages.join(", then ")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::report::{ChangeKind, Step};
    use crate::source::Revision;
    use coalmine_core::phase::Phase;
    use coalmine_core::values::Version;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn step(accepted: i64, applied: Option<i64>, shares: &[(&str, u8)]) -> Step {
        let (id, author, subject) = ("a".into(), "Ada".into(), "shift".into());
        let version = |name: &str| Version::new(name).expect("a version");
        let versions: Vec<_> = shares.iter().map(|(name, share)| (version(name), *share)).collect();
        let weights = versions.iter().map(|(version, share)| (version, *share)).collect();
        Step {
            revision: Arc::new(Revision { id, author, subject, committed: at(0) }),
            accepted_at: Some(at(accepted)),
            asked: Requested::Values {
                phase: Phase::Shifting,
                weights,
                change: ChangeKind::Advance,
            },
            applied_at: applied.map(at),
        }
    }

    fn history(steps: Vec<Step>) -> History {
        History { steps, drifts: Vec::new() }
    }

    #[test]
    fn a_canary_rises_from_the_bottom_and_what_is_asked_for_waits() {
        let history = history(vec![
            step(0, Some(10), &[("v1", 100)]),
            step(60, Some(70), &[("v1", 75), ("v2", 25)]),
            step(90, None, &[("v1", 0), ("v2", 100)]),
        ]);
        let chart = Chart::of(&history, at(120)).expect("a chart");
        let bands: Vec<_> =
            chart.bands.iter().map(|band| (&*band.version, band.share, band.colour)).collect();
        assert_eq!(
            bands,
            [("v1", 100, 0), ("v2", 25, 1), ("v1", 75, 0), ("v2", 25, 1), ("v1", 75, 0)]
        );
        assert_eq!(chart.bands[1].y + chart.bands[1].height, BOTTOM);
        assert_eq!(chart.bands[2].y + chart.bands[2].height, chart.bands[1].y);
        let waiting = chart.waiting.expect("something waits");
        assert_eq!(waiting.x, chart.bands[3].x);
        assert_eq!(
            chart.words,
            "v1 100 % for 1 min, then v1 75 % and v2 25 % for 20 s, then v1 75 % and v2 25 % for 30 s, \
             waiting for newer shares."
        );
    }

    #[test]
    fn an_hour_is_longer_than_a_minute_and_not_sixty_times_as_long() {
        let history =
            history(vec![step(0, Some(0), &[("v1", 100)]), step(60, Some(60), &[("v2", 100)])]);
        let chart = Chart::of(&history, at(3660)).expect("a chart");
        let widths: Vec<_> = chart.bands.iter().map(|band| band.width).collect();
        assert!(widths[1] > widths[0] && widths[1] < 4.0 * widths[0], "{widths:?}");
    }

    #[test]
    fn a_service_that_was_never_applied_has_no_chart() {
        assert_eq!(Chart::of(&history(vec![step(0, None, &[("v1", 100)])]), at(9)), None);
        assert_eq!(Chart::of(&History::default(), at(9)), None);
    }

    proptest! {
        #[test]
        fn every_stage_is_full_and_all_of_them_fill_the_picture(
            pauses in prop::collection::vec((0_i64..1_000_000, 0_u8..=100), 1..24)
        ) {
            let mut time = 0;
            let mut steps = Vec::new();
            for (pause, share) in pauses {
                time += pause;
                steps.push(step(time, Some(time), &[("v1", 100 - share), ("v2", share)]));
            }
            // A clock that went back in the meantime as well.
            for now in [at(time + 5), at(0)] {
                let chart = Chart::of(&history(steps.clone()), now).expect("a chart");
                let area: f64 = chart.bands.iter().map(|band| band.width * band.height).sum();
                prop_assert!((area - (WIDTH - LEFT) * (BOTTOM - TOP)).abs() < 1e-6);
                let labels: Vec<_> =
                    chart.ticks.iter().filter(|tick| !tick.label.is_empty()).collect();
                prop_assert!(labels.windows(2).all(|two| two[1].x - two[0].x >= APART));
            }
        }
    }
}
