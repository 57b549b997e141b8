//! Decisions in the words that a person would say.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::decision::{Decision, Reading, Regression, Wait};
use crate::look::Counts;

/// The names of the two versions.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The primary's.
    pub primary: &'a str,
    /// The canary's.
    pub canary: &'a str,
}

/// A sentence about something that was decided, without a full stop.
#[derive(Clone, Copy, Debug)]
pub struct Sentence<'a, T>(&'a T, Names<'a>);

impl Decision {
    /// The decision in one sentence.
    pub fn by<'a>(&'a self, names: Names<'a>) -> Sentence<'a, Self> {
        Sentence(self, names)
    }
}

impl Wait {
    /// What is waited for, as a part of a sentence.
    pub fn by<'a>(&'a self, names: Names<'a>) -> Sentence<'a, Self> {
        Sentence(self, names)
    }
}

impl Reading {
    /// What was measured, in one sentence.
    pub fn by<'a>(&'a self, names: Names<'a>) -> Sentence<'a, Self> {
        Sentence(self, names)
    }
}

impl Display for Sentence<'_, Decision> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(decision, names) = *self;
        match decision {
            Decision::Abort(regression) => Sentence(regression, names).fmt(f),
            Decision::Hold(waits) => {
                write!(f, "{} stays as it is: ", names.canary)?;
                list(f, waits, names)
            }
            Decision::Promote(readings) if readings.is_empty() => {
                write!(f, "{} is within its bounds", names.canary)
            }
            Decision::Promote(readings) => list(f, readings, names),
        }
    }
}

impl Display for Sentence<'_, Regression> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(regression, names) = *self;
        let canary = names.canary;
        match regression {
            Regression::Worse(reading) => {
                Sentence(reading, names).fmt(f)?;
                let once = Whole(reading.evidence.threshold as u64);
                write!(f, ": chance does that in less than 1 of {once} rollouts")
            }
            Regression::Disaster { reading, looks } => {
                Sentence(reading, names).fmt(f)?;
                write!(f, " in {looks} looks in succession")
            }
            Regression::Crashes { restarts } => {
                write!(f, "a pod of {canary} has restarted {restarts} times in this step")
            }
            Regression::Gone { lasting } => {
                write!(f, "no pod of {canary} has been ready for {}", Time(*lasting))
            }
            Regression::Beyond { analysis, value, bound, lasting } => {
                let lasting = Time(*lasting);
                write!(
                    f,
                    "`{analysis}` of {canary} is {value}, beyond its bound {bound} for {lasting}"
                )
            }
            Regression::Shortage { analysis, requests, enough } => {
                let (requests, enough) = (Whole(*requests), Whole(*enough));
                write!(
                    f,
                    "{canary} has answered {requests} of the {enough} requests that `{analysis}` needs, "
                )?;
                f.write_str("and the time for them is over")
            }
        }
    }
}

impl Display for Sentence<'_, Wait> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(wait, names) = *self;
        match wait {
            Wait::Time { left } => write!(f, "the step lasts {} more", Time(*left)),
            Wait::Requests { analysis, requests, enough } => {
                let (requests, enough) = (Whole(*requests), Whole(*enough));
                write!(f, "`{analysis}` has {requests} of the {enough} requests that it needs")
            }
            Wait::Blind { analysis, lasting } => {
                write!(f, "`{analysis}` has not been measured for {}", Time(*lasting))
            }
            Wait::Unmeasured { analysis } => {
                write!(f, "`{analysis}` has not been measured for long enough")
            }
            Wait::Beyond { analysis, value, bound } => {
                write!(f, "`{analysis}` is {value}, beyond its bound {bound}")
            }
            Wait::Worse(reading) => {
                Sentence(reading, names).fmt(f)?;
                f.write_str(", which may be chance")
            }
            Wait::NoComparison { analysis } => {
                write!(f, "`{analysis}` has neither a primary to compare with nor a bound")
            }
            Wait::NoAnalysis => f.write_str("nothing is measured"),
        }
    }
}

impl Display for Sentence<'_, Reading> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(Reading { words, primary, canary, has_primary, .. }, names) = *self;
        let Counts { total, bad } = *canary;
        let (name, total) = (names.canary, Whole(total));
        match bad {
            0 => write!(f, "{name} answered none of {total} requests {words}")?,
            _ => write!(f, "{name} answered {} of {total} requests {words}", Whole(bad))?,
        }
        if *has_primary {
            let bad = Whole(primary.bad);
            write!(f, ", {} {bad} of {}", names.primary, Whole(primary.total))?;
        }
        Ok(())
    }
}

fn list<'a, T>(f: &mut Formatter<'_>, items: &'a [T], names: Names<'a>) -> fmt::Result
where
    Sentence<'a, T>: Display,
{
    for (index, item) in items.iter().enumerate() {
        let before = if index == 0 { "" } else { "; " };
        write!(f, "{before}{}", Sentence(item, names))?;
    }
    Ok(())
}

/// A whole number with a comma between thousands.
struct Whole(u64);

impl Display for Whole {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (index, digit) in digits.char_indices() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A time in seconds or, where that is enough, in minutes.
struct Time(Duration);

impl Display for Time {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..=119 => write!(f, "{seconds} s"),
            _ if seconds.is_multiple_of(60) => write!(f, "{} min", seconds / 60),
            _ => write!(f, "{} min {} s", seconds / 60, seconds % 60),
        }
    }
}
