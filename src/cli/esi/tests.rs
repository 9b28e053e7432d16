use super::*;
use crate::config::embedded::DEVICES;
use crate::simulator::{DriveParameters, SimulatedDevice};

const ESI: &str = r##"<?xml version="1.0" encoding="utf-8"?>
<EtherCATInfo Version="1.2">
  <Vendor><Id>#x4D4F5449</Id><Name>Example &amp; Sons</Name></Vendor>
  <Descriptions><Devices>
    <Device Physics="YY">
      <Type ProductCode="#x00000402" RevisionNo="#x00010000">SV-1</Type>
      <Name LcId="1031">Antrieb</Name>
      <Name LcId="1033"><![CDATA[Servo "one"]]></Name>
      <Sm StartAddress="#x1000" DefaultSize="128">MBoxOut</Sm>
      <Sm StartAddress="#x1200">Outputs</Sm>
      <RxPdo Fixed="0"><Index>#x1600</Index><Name>velocity</Name>
        <Entry><Index>#x6040</Index><SubIndex>0</SubIndex><BitLen>16</BitLen></Entry></RxPdo>
      <RxPdo Sm="2"><Index DependOnSlot="0">#x1601</Index><Exclude>#x1600</Exclude>
        <Entry><Index>#x6040</Index><SubIndex>0</SubIndex><BitLen>16</BitLen><DataType>UINT</DataType></Entry>
        <Entry><Index>#x607A</Index><BitLen>32</BitLen></Entry>
        <Entry><Index>#x6060</Index><SubIndex>#x0</SubIndex><BitLen>8</BitLen></Entry>
        <Entry><Index>0</Index><BitLen>3</BitLen></Entry></RxPdo>
      <TxPdo Sm="3" Mandatory="1"><Index>6656</Index>
        <Entry><Index>#x6041</Index><SubIndex>0</SubIndex><BitLen>16</BitLen></Entry>
        <Entry><Index>#x6064</Index><SubIndex>0</SubIndex><BitLen>32</BitLen></Entry></TxPdo>
      <Mailbox><CoE SdoInfo="1" CompleteAccess="0" PdoAssign="true"/></Mailbox>
      <Dc><OpMode><Name>Free</Name><AssignActivate>#x0000</AssignActivate></OpMode>
          <OpMode><Name>DC</Name><AssignActivate>#x0300</AssignActivate></OpMode></Dc>
    </Device>
    <Device><Type ProductCode="1026" RevisionNo="#x00020000">SV-1</Type></Device>
    <Device><Type ProductCode="#x9" RevisionNo="1">IO</Type>
      <TxPdo Sm="0"><Index>#x1A00</Index><Entry><Index>#x6000</Index><SubIndex>1</SubIndex><BitLen>1</BitLen></Entry></TxPdo>
    </Device>
  </Devices></Descriptions>
</EtherCATInfo>"##;

fn pdo(map: &PdoMap) -> u16 {
    map.pdos().next().unwrap().0
}

fn servo() -> Choice {
    Choice { product: Some(0x402), revision: Some(0x10000), ..Choice::default() }
}

#[test]
fn a_servo_drive_becomes_a_drive_file_that_reads_back_the_same() {
    let (text, remarks) = convert(ESI, &servo()).unwrap();
    let file = read_drive_file(&text).unwrap();
    let identity = Identity { vendor: 0x4D4F_5449, product: 0x402, revision: 0x10000, serial: 0 };
    assert_eq!(file.device.identity, identity);
    assert_eq!((file.device.kind, file.device.distributed_clock), (DeviceKind::ServoDrive, true));
    assert_eq!(file.name.as_deref(), Some("Servo one"));
    // The first PDO with all a servo drive needs, padded to whole bytes.
    assert_eq!((pdo(&file.device.outputs), file.device.outputs.bits()), (0x1601, 64));
    assert_eq!((pdo(&file.device.inputs), file.device.inputs.bits()), (0x1A00, 48));
    for part in ["RxPdo 0x1601, excludes #x1600", "SDO information yes", "AssignActivate #x0300", "MBoxOut"] {
        assert!(remarks.iter().any(|remark| remark.contains(part)), "{part}: {remarks:#?}");
    }
}

#[test]
fn of_several_devices_one_has_to_be_chosen_and_of_several_revisions_the_newest_is_taken() {
    let mistake = convert(ESI, &Choice::default()).unwrap_err();
    assert!(mistake.contains("--product 0x00000402 --revision 0x00010000  Servo \"one\""), "{mistake}");
    // The newest revision has no PDOs.
    let newest = convert(ESI, &Choice { product: Some(0x402), ..Choice::default() }).unwrap_err();
    assert!(!newest.contains("several devices"), "{newest}");
    let unknown = convert(ESI, &Choice { product: Some(5), ..Choice::default() }).unwrap_err();
    assert!(unknown.starts_with("no such device; there are:"), "{unknown}");
    let (text, _) = convert(ESI, &Choice { product: Some(9), ..Choice::default() }).unwrap();
    assert_eq!(read_drive_file(&text).unwrap().device.kind, DeviceKind::DigitalIo);
}

#[test]
fn mistakes_are_named_with_their_line() {
    let wrong = |from: &str, to: &str| {
        assert!(ESI.contains(from), "{from}");
        convert(&ESI.replacen(from, to, 1), &servo()).unwrap_err()
    };
    assert!(wrong("#x4D4F5449", "vendor").starts_with("line 3, element `Id`: `vendor` is no number"));
    assert!(wrong("ProductCode=\"#x00000402\" ", "").starts_with("no such device"));
    assert!(
        wrong("<Index>#x607A</Index><BitLen>32</BitLen>", "<Index>#x607A</Index><BitLen>99</BitLen>")
            .starts_with("line 15")
    );
    assert!(wrong("<BitLen>16</BitLen><DataType>", "<DataType>").contains("`BitLen` is missing"));
    assert!(wrong("<CoE ", "<FoE ").contains("no CoE mailbox"));
    assert!(wrong("</Vendor>", "").starts_with("not XML"));
    assert!(wrong("EtherCATInfo Version", "EtherCATModule Version").contains("not XML"));
    assert!(convert("<a/>", &servo()).unwrap_err().contains("begins with `EtherCATInfo`"));
    let no_pdo = convert(ESI, &Choice { rx_pdo: Some(0x1700), ..servo() }).unwrap_err();
    assert!(no_pdo.contains("there are: 0x1600, 0x1601"), "{no_pdo}");
    let useless = convert(ESI, &Choice { rx_pdo: Some(0x1600), ..servo() }).unwrap_err();
    assert!(useless.contains("0x607A") && useless.contains("--rx-pdo"), "{useless}");
}

#[test]
fn numbers_are_read_in_every_form_of_the_field() {
    for text in ["#x10", "#X10", "0x10", "16", " 16 "] {
        assert_eq!(number_of(text), Ok(16), "{text}");
    }
    for text in ["", "x10", "#xZ", "-1", "4294967296"] {
        assert!(number_of(text).is_err(), "{text}");
    }
}

#[test]
fn what_is_written_of_our_own_devices_is_imported_the_same() {
    let devices: Vec<SimulatedDevice> = DEVICES
        .iter()
        .map(|(name, text)| {
            let device = read_drive_file(text).unwrap().device;
            SimulatedDevice::without_motor(name, device).unwrap_or_else(|| {
                let axis = DriveParameters::default();
                match device.kind.axes() {
                    2 => SimulatedDevice::dual_servo_drive(name, device, [axis; 2]),
                    _ => SimulatedDevice::servo_drive(name, device, axis),
                }
            })
        })
        .filter(|simulated| simulated.device.identity.vendor == 0x4D4F_5449)
        .collect();
    assert!(devices.len() >= 11, "the generic device types");
    let text = esi_text(&devices).unwrap();
    for simulated in &devices {
        let identity = simulated.device.identity;
        let choice = Choice { product: Some(identity.product), ..Choice::default() };
        let (file, remarks) =
            convert(&text, &choice).unwrap_or_else(|mistake| panic!("{}: {mistake}", simulated.name));
        let file = read_drive_file(&file).unwrap();
        assert_eq!(file.device, simulated.device, "{}: {remarks:#?}", simulated.name);
        assert_eq!(file.name.as_deref(), Some(simulated.name.as_str()));
    }
}
