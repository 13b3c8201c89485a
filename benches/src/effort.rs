use std::time::Duration;

/// How thoroughly to measure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often everything is set up afresh.
    pub setups: usize,
    /// How many rounds are run with each set-up.
    pub rounds: usize,
    /// About how long each contestant runs in a round.
    pub turn: Duration,
}

impl Effort {
    /// Enough for a ratio to be right within a few per cent on a quiet machine.
    pub const FULL: Self = Self { setups: 15, rounds: 31, turn: Duration::from_millis(1) };

    /// Everything runs once, to see that it does. The numbers mean nothing.
    pub const TOUCH: Self = Self { setups: 1, rounds: 1, turn: Duration::ZERO };

    /// What the command line asks for: `cargo bench` measures, `cargo test --benches` only touches.
    pub fn from_args() -> Self {
        if std::env::args().any(|arg| arg == "--bench") { Self::FULL } else { Self::TOUCH }
    }

    /// As thorough, with turns that are longer by this factor.
    #[must_use]
    pub fn with_turns(self, factor: u32) -> Self {
        Self { turn: self.turn * factor, ..self }
    }

    /// Whether nothing is to be measured.
    pub fn is_touch(self) -> bool {
        self.turn.is_zero()
    }
}

/// Whether this option, such as `--long`, is on the command line.
pub fn asked_for(option: &str) -> bool {
    std::env::args().any(|arg| arg == option)
}
