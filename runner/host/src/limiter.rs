//! The limits that are the host's to keep, and the memory limiter that wasmtime asks.
//!
//! A limit that is reached is recorded, so that the end of a run can be told by its name.

use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTableError;
use wharf_policy::{ByteSize, Limits, raise};

/// Core instances, memories and tables of one component. Not in the grant: a component made by
/// any of the known toolchains has a few dozen.
const INSTANCES: usize = 256;

/// Which limit. Each names the key of `limits` that raises it, or a bound that is fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitKind {
    /// `memory`.
    Memory,
    /// `table-elements`.
    TableElements,
    /// `resources`.
    Resources,
    /// `host-call`.
    HostCall,
    /// `output`.
    Output,
    /// Bytes of one call for randomness.
    Random,
}

impl LimitKind {
    /// The key in `limits`, or a name for a bound that has none.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::TableElements => "table-elements",
            Self::Resources => "resources",
            Self::HostCall => "host-call",
            Self::Output => "output",
            Self::Random => "random",
        }
    }
}

/// A limit that was reached. Also the error of the trap, where reaching it ends the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.describe())]
pub struct LimitHit {
    /// Which.
    pub kind: LimitKind,
    /// How much was allowed, in the unit of the limit.
    pub allowed: u64,
}

impl LimitHit {
    fn describe(&self) -> String {
        let size = ByteSize::bytes(self.allowed);
        let count = u32::try_from(self.allowed).unwrap_or(u32::MAX);
        let name = self.kind.name();
        let (what, mend) = match self.kind {
            LimitKind::Memory => (format!("more than {size} of memory"), raise(name, size)),
            LimitKind::TableElements => (
                format!("more than {count} table elements"),
                raise(name, count),
            ),
            LimitKind::Resources => (
                format!("more than {count} open handles"),
                raise(name, count),
            ),
            LimitKind::HostCall => (
                format!("more than {size} in one host call"),
                raise(name, size),
            ),
            LimitKind::Output => (format!("more than {size} of output"), raise(name, size)),
            LimitKind::Random => (
                format!("more than {size} of randomness in one call"),
                "it must ask for less at a time".to_owned(),
            ),
        };
        format!("the plugin wanted {what}: {mend}")
    }

    /// The limit that an error of the guest's call stems from, if it stems from one of ours.
    pub(crate) fn of_error(error: &wasmtime::Error, resources: u64) -> Option<Self> {
        if let Some(hit) = error.downcast_ref::<Self>() {
            return Some(*hit);
        }
        matches!(
            error.downcast_ref::<ResourceTableError>(),
            Some(ResourceTableError::Full)
        )
        .then_some(Self {
            kind: LimitKind::Resources,
            allowed: resources,
        })
    }
}

/// Bounds memory and tables of one instance, all of its memories and tables together.
#[derive(Debug)]
pub struct Limiter {
    memory: Meter,
    table_elements: Meter,
    hit: Option<LimitHit>,
}

#[derive(Debug)]
struct Meter {
    allowed: u64,
    used: u64,
}

impl Meter {
    fn new(allowed: u64) -> Self {
        Self { allowed, used: 0 }
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let more = desired.saturating_sub(current) as u64;
        let fits = self
            .used
            .checked_add(more)
            .is_some_and(|total| total <= self.allowed);
        if fits {
            self.used += more;
        }
        fits
    }
}

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Meter::new(limits.memory.get()),
            table_elements: Meter::new(u64::from(limits.table_elements)),
            hit: None,
        }
    }

    /// Takes the limits of the run in place of those of the warm instance, keeping what is used.
    pub(crate) fn rebind(&mut self, limits: &Limits) {
        self.memory.allowed = limits.memory.get();
        self.table_elements.allowed = u64::from(limits.table_elements);
    }

    /// The first limit that growth was refused for. The guest may have gone on without; where the
    /// run ended in a trap, this is why.
    pub fn hit(&self) -> Option<LimitHit> {
        self.hit
    }

    /// Bytes of linear memory in use.
    pub fn memory(&self) -> u64 {
        self.memory.used
    }

    fn refuse(&mut self, kind: LimitKind, allowed: u64) -> bool {
        self.hit.get_or_insert(LimitHit { kind, allowed });
        false
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.memory.grow(current, desired)
            || self.refuse(LimitKind::Memory, self.memory.allowed))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(self.table_elements.grow(current, desired)
            || self.refuse(LimitKind::TableElements, self.table_elements.allowed))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_together_are_bounded_and_the_limit_is_named() {
        let mut limiter = Limiter::new(&Limits {
            memory: ByteSize::kib(128),
            ..Limits::default()
        });
        assert!(limiter.memory_growing(0, 65_536, None).unwrap());
        assert!(limiter.memory_growing(0, 65_536, None).unwrap());
        assert!(!limiter.memory_growing(65_536, 131_072, None).unwrap());
        let hit = limiter.hit().unwrap();
        assert_eq!(hit.kind, LimitKind::Memory);
        assert!(hit.to_string().contains("128KiB"), "{hit}");
        assert!(
            hit.to_string()
                .contains("`limits = { memory = \"256KiB\" }`"),
            "{hit}"
        );
    }

    #[test]
    fn table_elements_are_bounded_and_the_limit_is_named() {
        let mut limiter = Limiter::new(&Limits {
            table_elements: 10,
            ..Limits::default()
        });
        assert!(limiter.table_growing(0, 10, None).unwrap());
        assert!(!limiter.table_growing(10, 11, None).unwrap());
        assert_eq!(limiter.hit().unwrap().kind, LimitKind::TableElements);
    }

    #[test]
    fn a_full_resource_table_is_told_as_the_limit_on_handles() {
        let hit = LimitHit::of_error(&ResourceTableError::Full.into(), 7).unwrap();
        assert_eq!((hit.kind, hit.allowed), (LimitKind::Resources, 7));
        assert!(LimitHit::of_error(&ResourceTableError::NotPresent.into(), 7).is_none());
    }
}
