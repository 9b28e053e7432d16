//! Every word of a fault script, for people: what `--help` of the commands that take a script prints and what a mistake names.

use std::borrow::Cow;
use std::fmt::Write as _;

/// One form of one action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// How it is written. Capital letters stand for what has to be put in.
    pub form: &'static str,
    /// One that can be written so.
    pub example: &'static str,
    /// What happens.
    pub says: &'static str,
}

const fn word(form: &'static str, example: &'static str, says: &'static str) -> Word {
    Word { form, example, says }
}

/// All actions, by what they concern.
pub const WORDS: &[(&str, &[Word])] = &[
    (
        "frames",
        &[
            word("drop N", "drop 4", "the answers to the next N frames are lost"),
            word(
                "drop N unprocessed",
                "drop 2 unprocessed",
                "the next N frames are lost before a SubDevice sees them",
            ),
            word(
                "drop P % of N",
                "drop 0.5 % of 10000",
                "of the next N frames each is lost with the chance P",
            ),
            word("dup N", "dup 1", "the next N frames come back twice"),
            word("delay T for N", "delay 900 us for 50", "the next N frames come back late by T"),
            word(
                "flip byte N for N",
                "flip byte 20 for 1",
                "one byte of the next frames is inverted: which, and in how many",
            ),
            word("truncate B for N", "truncate 30 for 2", "the next N frames come back with B bytes"),
            word("swap N", "swap 1", "N times a frame comes back behind the next one"),
            word("foreign N", "foreign 3", "before each of the next N frames comes one that nobody sent"),
            word("nop N", "nop 1", "the next N frames come back with NOP commands"),
            word(
                "wkc ±N for N",
                "wkc -1 for 3",
                "the working counter of the next process data frames is off: by how much, how many",
            ),
        ],
    ),
    (
        "host and cable",
        &[
            word(
                "stall T",
                "stall 50 ms",
                "no frame comes back for T, then all at once: as a host that stood still sees it",
            ),
            word("link down T", "link down 100 ms", "the link is down for T"),
            word(
                "refuse N",
                "refuse 2",
                "the interface refuses to send the next N frames (in-process segment only)",
            ),
            word("detach N", "detach 4", "the cable before SubDevice N is cut"),
            word("attach", "attach", "the cable is whole again"),
            word(
                "flap N every T for N",
                "flap 3 every 20 ms for 5",
                "the cable before SubDevice N loses contact for T, and again: how often",
            ),
            word(
                "port_errors N PORT CRC LOST",
                "port_errors 3 1 4 1",
                "error counters of a port of SubDevice N count up: invalid frames, lost links",
            ),
        ],
    ),
    (
        "SubDevice",
        &[
            word(
                "wkc ±N node N for N",
                "wkc -1 node 3 for 4",
                "one SubDevice falsifies the working counter: by how much, which, for how many frames",
            ),
            word("powercycle N for T", "powercycle 2 for 0.3 s", "SubDevice N is without supply for T"),
            word(
                "al N STATE CODE",
                "al 1 SAFEOP 0x001B",
                "SubDevice N falls to a lower state with an AL status code",
            ),
            word(
                "refuse_state N STATE CODE",
                "refuse_state 2 SAFEOP 0x0024",
                "SubDevice N refuses a state with an AL status code; code 0: no more",
            ),
            word(
                "show N STATE [CODE]",
                "show 1 SAFEOP 0x001B",
                "SubDevice N shows this state, whatever its state is",
            ),
            word("show N well", "show 1 well", "it shows the truth again"),
            word("slow N T", "slow 2 300 ms", "state changes of SubDevice N take T"),
            word(
                "identity N NUMBER VALUE",
                "identity 2 serial 0x1234",
                "another vendor, product, revision, serial or alias in the SII",
            ),
            word("places N N", "places 1 2", "two SubDevices change places"),
            word("bridge N", "bridge 2", "frames pass SubDevice N by"),
            word("unbridge N", "unbridge 2", "they do not any more"),
            word("double N", "double 3", "one more SubDevice of the type of N, at the end"),
            word("hang N T", "hang 1 200 ms", "the processor of SubDevice N stands still for T"),
        ],
    ),
    (
        "distributed clock",
        &[
            word("dc step N US us", "dc step 1 -300 us", "the clock of SubDevice N jumps"),
            word(
                "dc drift N PPM ppm",
                "dc drift 2 80 ppm",
                "the clock of SubDevice N runs too fast from now on",
            ),
            word("sync0 N lost|back", "sync0 1 lost", "SYNC0 of SubDevice N stays away, or comes again"),
            word("clock_difference N NS", "clock_difference 1 -25000", "0x092C of SubDevice N is off"),
            word(
                "clock_jitter N NS",
                "clock_jitter 1 2000",
                "the system time of SubDevice N jitters by up to so much",
            ),
            word("clock_32_bits N", "clock_32_bits 1", "the clock of SubDevice N has 32 bits"),
        ],
    ),
    (
        "mailbox",
        &[
            word(
                "mailbox N mute N",
                "mailbox 1 mute 1",
                "the next requests are carried out and not answered",
            ),
            word("mailbox N late T for N", "mailbox 1 late 20 ms for 1", "the next answers come late"),
            word("mailbox N counter N", "mailbox 1 counter 1", "the next answers have a wrong counter"),
            word("mailbox N index N", "mailbox 1 index 1", "the next answers are for another object"),
            word("mailbox N toggle N", "mailbox 1 toggle 1", "the next segments have a wrong toggle bit"),
            word("mailbox N stuck", "mailbox 1 stuck", "requests are never taken out"),
            word("mailbox N well", "mailbox 1 well", "they are again"),
            word(
                "mailbox N unpadded",
                "mailbox 1 unpadded",
                "complete access without the padding of subindex 0",
            ),
            word("mailbox N padded", "mailbox 1 padded", "with it again"),
            word(
                "mailbox N abort INDEX|all CODE",
                "mailbox 1 abort 0x60C2 0x08000021",
                "requests for an object, or all, are aborted; code 0: no more",
            ),
            word(
                "mailbox N instead CODE for N",
                "mailbox 1 instead 0x2320 for 2",
                "emergencies instead of the next answers",
            ),
            word("mailbox N flood CODE every T", "mailbox 1 flood 0x8611 every 1 ms", "an emergency every T"),
            word("mailbox N calm", "mailbox 1 calm", "none any more"),
            word("emcy N CODE", "emcy 1 0x8611", "one emergency"),
        ],
    ),
    (
        "drive; the second axis of SubDevice 3 is 3.2",
        &[
            word(
                "drive N fault CODE [lasts]",
                "drive 2 fault 0x7500 lasts",
                "a fault with this error code, which can be reset or lasts",
            ),
            word("drive N well", "drive 2 well", "the cause of the fault is gone"),
            word("drive N reaction T", "drive 2 reaction 300 ms", "fault reactions take at least T"),
            word(
                "drive N mode_display M|well",
                "drive 2 mode_display 1",
                "shows another mode of operation, or the right one again",
            ),
            word(
                "drive N setpoints ignored|followed",
                "drive 2 setpoints ignored",
                "stays where it is, or follows again",
            ),
            word(
                "drive N target_reached on|off|free",
                "drive 2 target_reached on",
                "statusword bit 10 is stuck, or works again",
            ),
            word(
                "drive N homing error|never|well",
                "drive 2 homing never",
                "homing fails, never ends, or works again",
            ),
            word("sto on|off [N]", "sto on", "safe torque off of SubDevice N, or of all"),
            word(
                "voltage lost|back [N]",
                "voltage lost 3",
                "supply of the power stage of SubDevice N, or of all",
            ),
            word(
                "encoder N jump COUNTS",
                "encoder 3 jump -4000",
                "the reading jumps; also of an encoder input",
            ),
            word("encoder N zero", "encoder 3 zero", "the reading is zero where the shaft is now"),
            word("plant N stall|free", "plant 2 stall", "the shaft is stuck, or free again"),
            word(
                "switch N SWITCH on|off|free",
                "switch 2 positive_limit on",
                "negative_limit, positive_limit, home, probe_1, probe_2 is stuck, or works again",
            ),
        ],
    ),
    (
        "terminals and equipment",
        &[
            word(
                "encoder N speed COUNTS_S",
                "encoder 9 speed 4000",
                "the encoder at an encoder input turns, counts/s",
            ),
            word(
                "wrench N FX FY FZ TX TY TZ",
                "wrench 10 10 0 -50 0 0.5 0",
                "acts on a force sensor, N and N m",
            ),
            word("input N CHANNEL on|off", "input 7 3 on", "a digital input; channels count from 0"),
            word("analog N CHANNEL COUNTS", "analog 8 1 16384", "an analog input; channels count from 0"),
            word("stop_input open|closed", "stop_input open", "the emergency-stop chain"),
            word(
                "arc never|not_ready|lost|well",
                "arc lost",
                "the welding power source fails, or works again",
            ),
        ],
    ),
];

/// The whole list, with when things can happen.
#[must_use]
pub fn listed() -> String {
    let mut text = String::from(
        "Fault scripts\n\nOne event a line; # begins a comment. Positions N count from 1, in bus order.\n\
         T is a time up to 3600 s: 900 us, 50 ms, 2 s. Codes are decimal, or hexadecimal with 0x.\n\n\
         when\n  \
         at start: ACTION               before the controller sees the bus\n  \
         at cycle N: ACTION\n  \
         at T s: ACTION\n  \
         after STATE: ACTION            all SubDevices are in INIT, PREOP, SAFEOP or OP;\n  \
         after STATE N cycles: ACTION   or the machine is in a state of its own (not in simulate-bus)\n",
    );
    for (group, words) in WORDS {
        let _written = write!(text, "\n{group}\n");
        for Word { form, example, says } in *words {
            let _written = write!(text, "  {form:<36} {says}\n  {:<36} e.g. {example}\n", "");
        }
    }
    text
}

/// What is allowed for an action that begins with `first`.
pub(super) fn allowed(first: Option<&str>) -> Cow<'static, str> {
    let words = || WORDS.iter().flat_map(|(_, words)| *words);
    let begins = |word: &Word| word.form.split_whitespace().next() == first;
    let forms: Vec<&str> = words().filter(|word| begins(word)).map(|word| word.form).collect();
    if !forms.is_empty() {
        return format!("{}; N from 1 on", forms.join(" | ")).into();
    }
    let mut firsts: Vec<&str> = words().filter_map(|word| word.form.split_whitespace().next()).collect();
    firsts.dedup();
    format!("{}; `motiond simulate --help` lists them", firsts.join(", ")).into()
}
