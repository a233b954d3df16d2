//! One connection, pinged and listened to.

use std::time::{Duration, Instant as StdInstant};

use tokio::time::Instant;

use super::beats::Beats;
use super::config::Heartbeat;
use super::judge::Seen;
use crate::dialect::{Part, Variables};
use crate::model::Span;
use crate::session::{Level, Pings, Talk, Visit, Word};

/// When the pings of one level go out.
struct Course {
    level: Level,
    next: Instant,
    left: u32,
    pings: Pings,
}

impl Heartbeat {
    /// Pings until all pings are answered or lost, then says goodbye.
    pub(super) fn watch(
        &self,
        visit: &Visit,
        talk: Talk,
        levels: &[Level],
        number: u32,
    ) -> impl Future<Output = Seen> {
        // No future of its own around another: it would keep the talk twice.
        self.hold(visit, talk, self.courses(levels, number), [None; 2])
    }

    /// Listens until the gateway's own beat is known, then says goodbye. It does not ping: a gateway may beat only
    /// where it has heard nothing for so long (as aiohttp does), and what we say would put off its beat.
    pub(super) fn listen(&self, visit: &Visit, talk: Talk) -> impl Future<Output = Seen> {
        let promised = self.promised(visit, &talk);
        self.hold(visit, talk, Vec::new(), promised)
    }

    async fn hold(
        &self,
        visit: &Visit,
        mut talk: Talk,
        mut courses: Vec<Course>,
        [pings, beats]: [Option<Span>; 2],
    ) -> Seen {
        // What came while the session was being opened has been answered; the clock of the rest starts here.
        let opened = StdInstant::now();
        let last = visit.until(None);
        let mut beats =
            vec![Beats::new(Level::Protocol, pings, opened), Beats::new(Level::Application, beats, opened)];
        let mut cut = false;
        let ended = loop {
            let now = Instant::now();
            if let Some(course) = courses.iter_mut().find(|course| course.left > 0 && course.next <= now) {
                match ping(&mut talk, course, self.every.get()).await {
                    Ok(()) => continue,
                    Err(Word::Unaffordable) => {
                        cut = true;
                        break None;
                    }
                    Err(word) => break Some(word),
                }
            }
            let Some(until) = self.next_look(&courses, &beats, now) else { break None };
            if now >= last {
                cut = true;
                break None;
            }
            match talk.next(until.min(last)).await {
                Word::Beat { level, at } => {
                    beats.iter_mut().filter(|beats| beats.level == level).for_each(|beats| beats.came(at));
                }
                Word::Pong { payload, at } => note(&mut courses, Level::Protocol, |pings| {
                    match payload.as_ref().try_into() {
                        Ok(id) => pings.answered_up_to(u64::from_be_bytes(id), at),
                        // A pong that nobody asked for may carry anything, or nothing.
                        Err(_) => pings.stray(false),
                    }
                }),
                Word::Answer { exchange, part: Part::Heartbeat, at, .. } => {
                    note(&mut courses, Level::Application, |pings| pings.answered(exchange, at));
                }
                Word::Stray { part: Part::Heartbeat, repeated, .. } => {
                    note(&mut courses, Level::Application, |pings| pings.stray(repeated));
                }
                word @ (Word::Over(..) | Word::Nothing { mid_frame: true }) if is_end(&word, last) => {
                    break Some(word);
                }
                _ => {}
            }
        };
        let until = StdInstant::now();
        let pings = courses.into_iter().map(|course| (course.level, course.pings)).collect();
        let ended = match ended {
            None => {
                talk.leave(visit).await;
                None
            }
            Some(word) => Some(word.in_session(talk.has_answered())),
        };
        Seen { pings, beats, ended, until, cut }
    }

    /// How often the gateway promises its pings and its beats, by the config or as it told on this connection. What
    /// does not fit into the run can't be held against it.
    pub(super) fn promised(&self, visit: &Visit, talk: &Talk) -> [Option<Span>; 2] {
        if self.pings_only {
            return [None, None];
        }
        let (dialect, told) = (&visit.target().dialect, talk.variables());
        let left = visit.until(None).saturating_duration_since(Instant::now());
        let fits = |interval: &Span| interval.get() + self.server.tolerance.get() < left;
        let pings = self.server.pings.or_else(|| dialect.pings_interval(told).map(Span::from));
        let beats = self.server.beats.or_else(|| dialect.beat_interval(told).map(Span::from));
        [pings, beats].map(|interval| interval.filter(fits))
    }

    /// The levels take turns, and so do the connections, so that no two pings wait for each other.
    fn courses(&self, levels: &[Level], number: u32) -> Vec<Course> {
        let (now, every) = (Instant::now(), self.every.get());
        let turn = every / self.connections().max(1) * number;
        let step = every / u32::try_from(levels.len().max(1)).unwrap_or(1);
        let courses = (0..).zip(levels).map(|(place, level)| Course {
            level: *level,
            next: now + turn + step * place,
            left: self.pings,
            pings: Pings::default(),
        });
        courses.collect()
    }

    /// When there is something to do or to conclude even if the gateway says nothing; none when all is known.
    fn next_look(&self, courses: &[Course], beats: &[Beats], now: Instant) -> Option<Instant> {
        let next = courses.iter().filter(|course| course.left > 0).map(|course| course.next);
        let std_now = StdInstant::now();
        let later = |at: StdInstant| now + at.saturating_duration_since(std_now);
        let patience = self.pong_timeout.get();
        // All that were lost were lost by the time when the youngest is.
        let answers = courses.iter().filter(|course| course.pings.waiting_since().is_some());
        let answers =
            answers.filter_map(|course| course.pings.last_sent()).map(|sent| later(sent + patience));
        let tolerance = self.server.tolerance.get();
        let waited_for = beats.iter().filter(|beats| !beats.enough(self.server.count));
        let beats = waited_for.filter_map(|beats| beats.patience(tolerance)).map(later);
        next.chain(answers.chain(beats).filter(|at| *at > now)).min()
    }
}

/// A frame that has begun may go on until the end.
fn is_end(word: &Word, last: Instant) -> bool {
    matches!(word, Word::Over(..)) || Instant::now() >= last
}

async fn ping(talk: &mut Talk, course: &mut Course, every: Duration) -> Result<(), Word> {
    course.next += every;
    course.left -= 1;
    match course.level {
        Level::Protocol => {
            let id: u64 = rand::random();
            let at = talk.ping(id.to_be_bytes().to_vec()).await?;
            course.pings.sent(id, at);
        }
        Level::Application => {
            if let Some((exchange, at)) = talk.ask(Part::Heartbeat, &Variables::default()).await? {
                course.pings.sent(exchange, at);
            }
        }
    }
    Ok(())
}

fn note(courses: &mut [Course], level: Level, with: impl FnOnce(&mut Pings)) {
    if let Some(course) = courses.iter_mut().find(|course| course.level == level) {
        with(&mut course.pings);
    }
}
