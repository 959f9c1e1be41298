//! What an engine is told when it starts, and the wasmtime configuration that follows from it.
//! Every number that bounds the host as a whole stands here, with its reason.

use std::path::PathBuf;
use std::time::Duration;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};
use wharf_policy::ByteSize;

/// Where compiled code is kept between starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CacheDir {
    /// In this folder, as `compiled/`, with the key that authenticates it beside that folder.
    /// Both are made if they are missing, for this user only.
    At(PathBuf),
    /// Nowhere: every start compiles again.
    Disabled,
}

/// How an engine is set up. The defaults suit a runner with a few gigabytes of memory.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Where compiled code is kept.
    pub cache: CacheDir,
    /// Bytes of compiled code on disk, past which what was not loaded for the longest time goes.
    pub cache_size: ByteSize,
    /// How long compiled code stays on disk without being loaded. What goes is compiled again when
    /// it is needed.
    pub cache_age: Duration,
    /// Components kept compiled in memory.
    pub max_plugins: usize,
    /// Combinations of component and rights kept linked.
    pub max_prepared: usize,
    /// Runs at the same time; more wait their turn, within their own deadline.
    pub max_instances: u32,
    /// Warm instances of one component under one set of rights. 0 switches the warm pool off.
    pub warm: u32,
    /// Warm instances of everything together.
    pub max_warm: u32,
    /// How long a warm pool is kept without a run.
    pub warm_idle: Duration,
    /// The largest memory that a grant can give to one instance. At most 4 GiB.
    pub max_memory: ByteSize,
    /// The largest number of table elements that a grant can give.
    pub max_table_elements: u32,
    /// The stack of WebAssembly code.
    pub max_stack: ByteSize,
    /// Time between two looks at a running guest.
    pub tick: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            cache: CacheDir::Disabled,
            cache_size: ByteSize::mib(2048),
            cache_age: Duration::from_secs(30 * 24 * 3600),
            max_plugins: 64,
            max_prepared: 256,
            max_instances: 256,
            warm: 8,
            max_warm: 64,
            warm_idle: Duration::from_secs(60),
            max_memory: ByteSize::mib(4096),
            max_table_elements: 1_000_000,
            max_stack: ByteSize::kib(512),
            tick: Duration::from_millis(10),
        }
    }
}

/// Stores on their way out that no count covers.
const LEAVING: u32 = 8;
/// Core modules in one component. Components of compiled languages have about 4; Python, whose
/// shared libraries are modules each, has about 20.
const CORE_INSTANCES: u32 = 64;
/// Linear memories in one component. One is usual; composed components have one for each part.
const MEMORIES: u32 = 4;
/// Tables in one component: that of each module with function pointers, and wit-component's.
const TABLES: u32 = 16;
/// Bookkeeping of one component instance. Wasmtime's default of 1 MiB is near what the larger
/// language runtimes need.
const METADATA: usize = 4 << 20;
/// Kept in place when a slot is given back, and zeroed, rather than given to the kernel: saves
/// the page faults of the next run. What small plugins touch fits.
const KEEP_MEMORY: usize = 1 << 20;
const KEEP_TABLE: usize = 64 << 10;
/// What the host's own functions may use of a fiber's stack beyond the guest's part.
const HOST_STACK: usize = 1536 << 10;

impl EngineConfig {
    /// For a command that runs one action and ends: nothing is kept warm, little is reserved.
    pub fn for_one_run() -> Self {
        Self {
            max_plugins: 4,
            max_prepared: 4,
            max_instances: 4,
            warm: 0,
            max_warm: 0,
            ..Self::default()
        }
    }

    /// Stores that can be alive at a time: those that run, those that are warm, and a few that
    /// failed to start and are on their way out.
    fn slots(&self) -> u32 {
        self.max_instances
            .saturating_add(self.max_warm)
            .saturating_add(LEAVING)
    }

    pub(crate) fn wasmtime(&self) -> Config {
        let slots = self.slots();
        let stack = usize::try_from(self.max_stack.get()).unwrap_or(usize::MAX);
        let memory = usize::try_from(self.max_memory.get()).unwrap_or(usize::MAX);

        // The pool is sized so that it cannot run dry before `max_instances` does. It costs
        // address space, of which there is plenty (5 TiB of 128 by default), not memory.
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(slots)
            .max_component_instance_size(METADATA)
            .max_core_instance_size(METADATA)
            .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
            .max_core_instances_per_component(CORE_INSTANCES)
            .total_memories(slots.saturating_mul(MEMORIES))
            .max_memories_per_component(MEMORIES)
            .max_memories_per_module(MEMORIES)
            .max_memory_size(memory)
            .total_tables(slots.saturating_mul(TABLES))
            .max_tables_per_component(TABLES)
            .max_tables_per_module(TABLES)
            .table_elements(self.max_table_elements as usize)
            // One for the run and one spare, for a host call that re-enters.
            .total_stacks(slots.saturating_mul(2))
            .max_unused_warm_slots(slots)
            .linear_memory_keep_resident(KEEP_MEMORY)
            .table_keep_resident(KEEP_TABLE)
            .pagemap_scan(Enabled::Auto);

        let mut config = Config::new();
        config
            .wasm_component_model(true)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .epoch_interruption(true)
            .cranelift_opt_level(OptLevel::Speed)
            .max_wasm_stack(stack)
            .async_stack_size(stack.saturating_add(HOST_STACK))
            // Memory that threads share is not seen by the limiter.
            .wasm_memory64(false)
            // Where in the guest a trap was is for its author; offsets are enough.
            .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable);
        config
    }
}
