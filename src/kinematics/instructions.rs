//! Which vector instructions the kernels of this folder use. Chosen once, when a chain is made; a kernel is
//! written once, portably, and compiled for each choice.

/// The instructions a chain's kernels are compiled for. A value is only ever made for what the processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instructions(Level);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// What every processor of the target has.
    Baseline,
    /// Four lanes and fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2Fma,
    /// Eight lanes.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Instructions {
    /// What every processor of this target has.
    pub const BASELINE: Self = Self(Level::Baseline);

    /// The best this processor has.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().into_iter().flatten().last().unwrap_or(Self::BASELINE)
    }

    /// Everything this processor can run, plainest first; for tests and measurements.
    #[must_use]
    pub fn available() -> [Option<Self>; 3] {
        #[cfg(target_arch = "x86_64")]
        {
            let fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let wide = fused
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            [Some(Self::BASELINE), fused.then_some(Self(Level::Avx2Fma)), wide.then_some(Self(Level::Avx512))]
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            [Some(Self::BASELINE), None, None]
        }
    }

    /// A word for prints.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Level::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2Fma => "AVX2+FMA",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "AVX-512",
        }
    }

    pub(crate) const fn level(self) -> Level {
        self.0
    }
}

/// Whether the baseline of this target has fused multiply-add; without it `mul_add` is a library call.
pub(crate) const BASELINE_FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// Makes `fn name(instructions, arguments)`, which runs `kernel::<FUSED>(arguments)` compiled for `instructions`.
/// The kernel and all it calls must be `#[inline(always)]`, so that they are compiled inside each version: no closures
/// that are called more than once, and no `map` of an array, which keeps its closure for itself.
///
/// With `four lanes` in front there is no version of eight: where most of the work is on vectors in space, moving
/// numbers between the halves of a register costs more than the width gains.
macro_rules! compiled_for_each {
    (
        four lanes: $visibility:vis fn $name:ident ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?,
        $($kernel:ident)::+
    ) => {
        $crate::kinematics::instructions::compiled_for_each!(
            @ [$visibility] $name [$($argument: $type),*] [$(-> $result)?] [$($kernel)::+] avx2 {}
        );
    };
    (
        $visibility:vis fn $name:ident ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?,
        $($kernel:ident)::+
    ) => {
        $crate::kinematics::instructions::compiled_for_each!(
            @ [$visibility] $name [$($argument: $type),*] [$(-> $result)?] [$($kernel)::+] avx512 {
                #[cfg(target_arch = "x86_64")]
                #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
                fn avx512($($argument: $type),*) $(-> $result)? {
                    $($kernel)::+::<true>($($argument),*)
                }
            }
        );
    };
    (
        @ [$visibility:vis] $name:ident [$($argument:ident: $type:ty),*] [$($result:tt)*] [$($kernel:ident)::+]
        $widest:ident { $($version:item)? }
    ) => {
        #[inline]
        $visibility fn $name(
            instructions: $crate::kinematics::instructions::Instructions,
            $($argument: $type),*
        ) $($result)* {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2($($argument: $type),*) $($result)* {
                $($kernel)::+::<true>($($argument),*)
            }
            $($version)?
            use $crate::kinematics::instructions::{BASELINE_FUSED, Level};
            match instructions.level() {
                Level::Baseline => $($kernel)::+::<BASELINE_FUSED>($($argument),*),
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "a function compiled for more than the baseline")]
                // SAFETY: the processor has these features: this value is only made after they were detected.
                Level::Avx2Fma => unsafe { avx2($($argument),*) },
                #[cfg(target_arch = "x86_64")]
                #[expect(unsafe_code, reason = "a function compiled for more than the baseline")]
                // SAFETY: the processor has these features: this value is only made after they were detected.
                Level::Avx512 => unsafe { $widest($($argument),*) },
            }
        }
    };
}
pub(crate) use compiled_for_each;
