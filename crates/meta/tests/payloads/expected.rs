//! What each body of `tests/payloads/` must yield, written by hand: one line per item in order (`summary.rs` has the form).

/// File name and its items.
pub const EXPECTED: &[(&str, &[&str])] = &[
    (
        "batch_3x3x3.json",
        &[
            r#"message text wamid.GRID000 @1795350601 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 1 of 27""#,
            r#"message text wamid.GRID001 @1795350602 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 2 of 27""#,
            r#"message text wamid.GRID002 @1795350603 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 3 of 27""#,
            r#"message text wamid.GRID010 @1795350604 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 4 of 27""#,
            r#"message text wamid.GRID011 @1795350605 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 5 of 27""#,
            r#"message text wamid.GRID012 @1795350606 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 6 of 27""#,
            r#"message text wamid.GRID020 @1795350607 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 7 of 27""#,
            r#"message text wamid.GRID021 @1795350608 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 8 of 27""#,
            r#"message text wamid.GRID022 @1795350609 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 9 of 27""#,
            r#"message text wamid.GRID100 @1795350610 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 10 of 27""#,
            r#"message text wamid.GRID101 @1795350611 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 11 of 27""#,
            r#"message text wamid.GRID102 @1795350612 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 12 of 27""#,
            r#"message text wamid.GRID110 @1795350613 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 13 of 27""#,
            r#"message text wamid.GRID111 @1795350614 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 14 of 27""#,
            r#"message text wamid.GRID112 @1795350615 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 15 of 27""#,
            r#"message text wamid.GRID120 @1795350616 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 16 of 27""#,
            r#"message text wamid.GRID121 @1795350617 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 17 of 27""#,
            r#"message text wamid.GRID122 @1795350618 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 18 of 27""#,
            r#"message text wamid.GRID200 @1795350619 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 19 of 27""#,
            r#"message text wamid.GRID201 @1795350620 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 20 of 27""#,
            r#"message text wamid.GRID202 @1795350621 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 21 of 27""#,
            r#"message text wamid.GRID210 @1795350622 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 22 of 27""#,
            r#"message text wamid.GRID211 @1795350623 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 23 of 27""#,
            r#"message text wamid.GRID212 @1795350624 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 24 of 27""#,
            r#"message text wamid.GRID220 @1795350625 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cell 25 of 27""#,
            r#"message text wamid.GRID221 @1795350626 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "cell 26 of 27""#,
            r#"message text wamid.GRID222 @1795350627 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "cell 27 of 27""#,
        ],
    ),
    (
        "batch_bad_entries.json",
        &[
            r#"unreadable: an entry is not an object"#,
            r#"unreadable: an entry has no changes"#,
            r#"unreadable: a change is not an object"#,
            r#"management messages"#,
            r#"message text wamid.BATCH10 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "survivor""#,
        ],
    ),
    (
        "batch_dashboard_test.json",
        &[
            r#"message text wamid.BATCH16 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "test button""#,
        ],
    ),
    ("batch_empty.json", &[]),
    (
        "batch_entries_and_changes.json",
        &[
            r#"message text wamid.BATCH03 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "one""#,
            r#"status read wamid.OURS2001 @1795350700 to 4915155500137"#,
            r#"management phone_number_quality_update"#,
            r#"message text wamid.BATCH04 @1795350600 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "two""#,
        ],
    ),
    (
        "batch_field_misplaced.json",
        &[
            r#"message text wamid.BATCH12 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "field inside""#,
            r#"message text wamid.BATCH13 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "field above""#,
            r#"message text wamid.BATCH14 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "no field""#,
        ],
    ),
    (
        "batch_management_fields.json",
        &[
            r#"management message_template_status_update"#,
            r#"management message_template_quality_update"#,
            r#"management user_preferences"#,
            r#"management account_update"#,
            r#"management smb_message_echoes"#,
            r#"management history"#,
            r#"management calls"#,
            r#"management history"#,
            r#"management lunar_update"#,
        ],
    ),
    (
        "batch_messages_and_statuses.json",
        &[
            r#"message text wamid.BATCH05 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "both""#,
            r#"status delivered wamid.OURS2002 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt""#,
            r#"error 131057 Maintenance"#,
        ],
    ),
    (
        "batch_object_for_list.json",
        &[r#"message text wamid.BATCH15 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "single""#],
    ),
    (
        "batch_one_bad_message.json",
        &[
            r#"unreadable: a message has no readable timestamp"#,
            r#"message text wamid.BATCH07 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "fine""#,
            r#"unreadable: the element is not an object"#,
            r#"unreadable: a message has no id"#,
            r#"unreadable: the element is not an object"#,
            r#"message text wamid.BATCH08 @1795350600 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "fine too""#,
            r#"unreadable: a message has no sender"#,
        ],
    ),
    (
        "batch_one_bad_status.json",
        &[
            r#"unreadable: a status has no id"#,
            r#"status read wamid.OURS2003 @1795350700 to 4915155500137"#,
            r#"unreadable: a status has no readable timestamp"#,
            r#"status other: wamid.OURS2005 @1795350700 to"#,
        ],
    ),
    (
        "batch_repeated_message.json",
        &[
            r#"message text wamid.BATCH11 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "again""#,
            r#"message text wamid.BATCH11 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "again""#,
        ],
    ),
    (
        "batch_two_senders.json",
        &[
            r#"message text wamid.BATCH01 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "from Ilse""#,
            r#"message text wamid.BATCH02 @1795350600 from 351910000077 PT.55aBcD90eF "Tomás Rebelo": text "from Tomás""#,
        ],
    ),
    (
        "batch_wamids_by_case.json",
        &[
            r#"message text wamid.CaseMatters @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "upper""#,
            r#"message text wamid.casematters @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "lower""#,
        ],
    ),
    (
        "in_audio_file.json",
        &[
            r#"message audio wamid.KILN0106 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": audio id=9001006 mime=audio/mpeg"#,
        ],
    ),
    (
        "in_audio_voice.json",
        &[
            r#"message audio wamid.KILN0105 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": audio id=9001005 mime=audio/ogg; codecs=opus voice"#,
        ],
    ),
    (
        "in_button_quick_reply.json",
        &[
            r#"message button wamid.KILN0207 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": choice button "Confirm" id=confirm-17 reply=wamid.OURS0004"#,
        ],
    ),
    (
        "in_contacts_card.json",
        &[
            r#"message contacts wamid.KILN0113 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": contacts [Rui Glazes: +351 910 000 200, 351910000201] [Eva Lund: ]"#,
        ],
    ),
    (
        "in_contacts_own_phone.json",
        &[
            r#"message contacts wamid.KILN0114 @1795350600 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": contacts own [-: +31 6 5550 0199]"#,
        ],
    ),
    (
        "in_document_named.json",
        &[
            r#"message document wamid.KILN0107 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": document id=9001007 mime=application/pdf caption="Paid" file="Rechnung 17.pdf""#,
        ],
    ),
    (
        "in_document_unnamed.json",
        &[
            r#"message document wamid.KILN0108 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": document id=9001008 mime=application/zip"#,
        ],
    ),
    (
        "in_edit_caption.json",
        &[
            r#"message edit wamid.KILN0408 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": edit of wamid.KILN0101 to image id=9001001 mime=image/jpeg caption="No, this one""#,
        ],
    ),
    (
        "in_edit_text.json",
        &[
            r#"message edit wamid.KILN0407 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": edit of wamid.KILN0001 to text "Do the green mugs come in pairs?""#,
        ],
    ),
    ("in_errors_value_level.json", &[r#"error 130429 Rate limit hit"#]),
    (
        "in_hologram_future.json",
        &[
            r#"message hologram wamid.KILN0414 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": unsupported hologram"#,
        ],
    ),
    (
        "in_image_caption.json",
        &[
            r#"message image wamid.KILN0101 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": image id=9001001 mime=image/jpeg caption="This chip here""#,
        ],
    ),
    (
        "in_image_url.json",
        &[
            r#"message image wamid.KILN0102 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": image id=9001002 mime=image/png"#,
        ],
    ),
    (
        "in_interactive_address.json",
        &[
            r#"message interactive wamid.KILN0204 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": choice flow "Rua do Forno 3" id=address_message more={"values":{"city":"Porto"}}"#,
        ],
    ),
    (
        "in_interactive_button.json",
        &[
            r#"message interactive wamid.KILN0201 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": choice button "I pick it up" id=pickup reply=wamid.OURS0003"#,
        ],
    ),
    (
        "in_interactive_call_permission.json",
        &[
            r#"message interactive wamid.KILN0205 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": choice call "accept" id=user_action more=1795955400"#,
        ],
    ),
    (
        "in_interactive_flow.json",
        &[
            r#"message interactive wamid.KILN0203 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": choice flow "Sent" id=flow more={"flow_token":"kiln-9","guests":"2"}"#,
        ],
    ),
    (
        "in_interactive_future.json",
        &[
            r#"message interactive wamid.KILN0206 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": choice other "Celadon" id=swatch_reply more={"colour":"celadon","title":"Celadon"}"#,
        ],
    ),
    (
        "in_interactive_list.json",
        &[
            r#"message interactive wamid.KILN0202 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": choice list "14:00" id=slot-14 more=Studio, ground floor"#,
        ],
    ),
    (
        "in_location_bare.json",
        &[
            r#"message location wamid.KILN0112 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": location 52.52,13 reply=wamid.OURS0002"#,
        ],
    ),
    (
        "in_location_place.json",
        &[
            r#"message location wamid.KILN0111 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": location 38.7139,-9.1334 Miradouro "Largo da Graça, Lisboa""#,
        ],
    ),
    (
        "in_order_number_price.json",
        &[
            r#"message order wamid.KILN0301 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": order 660077 [MUG-BLUE 2x1850 EUR] [BOWL-RAKU-18 1x4200 EUR] "Gift wrapped please""#,
        ],
    ),
    (
        "in_order_odd_lines.json",
        &[
            r#"message order wamid.KILN0304 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": order 660077 [TILE 5x0 EUR] [TILE-2 1x0 XXX]"#,
        ],
    ),
    (
        "in_order_other_currencies.json",
        &[
            r#"message order wamid.KILN0303 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": order 660077 [CUP-JP 1x4200 JPY] [CUP-KW 1x1235 KWD]"#,
        ],
    ),
    (
        "in_order_string_price.json",
        &[
            r#"message order wamid.KILN0302 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": order 660077 [VASE-07 3x12990 EUR]"#,
        ],
    ),
    (
        "in_reaction_removed_absent.json",
        &[
            r#"message reaction wamid.KILN0209 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": reaction removed on wamid.OURS0005"#,
        ],
    ),
    (
        "in_reaction_removed_empty.json",
        &[
            r#"message reaction wamid.KILN0210 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": reaction removed on wamid.OURS0005"#,
        ],
    ),
    (
        "in_reaction_set.json",
        &[
            r#"message reaction wamid.KILN0208 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": reaction 🏺 on wamid.OURS0005"#,
        ],
    ),
    (
        "in_request_welcome.json",
        &[
            r#"message request_welcome wamid.KILN0406 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": welcome"#,
        ],
    ),
    (
        "in_revoke.json",
        &[
            r#"message revoke wamid.KILN0409 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": revoke of wamid.KILN0001"#,
        ],
    ),
    (
        "in_sticker_animated.json",
        &[
            r#"message sticker wamid.KILN0110 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": sticker id=9001010 mime=image/webp"#,
        ],
    ),
    (
        "in_sticker_static.json",
        &[
            r#"message sticker wamid.KILN0109 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": sticker id=9001009 mime=image/webp"#,
        ],
    ),
    (
        "in_system_future.json",
        &[
            r#"message system wamid.KILN0405 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": system "Something new happened""#,
        ],
    ),
    (
        "in_system_identity_changed.json",
        &[
            r#"message system wamid.KILN0404 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": identity_changed to 4915155500137"#,
        ],
    ),
    (
        "in_system_number_changed.json",
        &[
            r#"message system wamid.KILN0401 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb: number_changed to 4915155500999 DE.NewAfterMove2 was DE.7Kq2mZ81pLxVb"#,
        ],
    ),
    (
        "in_system_number_changed_old.json",
        &[r#"message system wamid.KILN0402 @1795350600 from 4915155500137: number_changed to 4915155500999"#],
    ),
    (
        "in_system_user_id_changed.json",
        &[
            r#"message system wamid.KILN0403 @1795350600 from NL.0nOoR4711x ^NL.ENT.9P4rent01: user_id_changed to NL.NextN00r ^NL.ENT.NextP4 was NL.0nOoR4711x ^NL.ENT.9P4rent01"#,
        ],
    ),
    (
        "in_text_bsuid_in_from.json",
        &[r#"message text wamid.KILN0012 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "x""#],
    ),
    (
        "in_text_bsuid_only.json",
        &[
            r#"message text wamid.KILN0007 @1795350600 from NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit": text "Is de glazuur loodvrij?""#,
        ],
    ),
    (
        "in_text_empty_object.json",
        &[
            r#"message text wamid.KILN0415 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": unsupported text"#,
        ],
    ),
    (
        "in_text_escaped.json",
        &[
            r#"message text wamid.KILN0003 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "Größe 20 cm? https://kiln.example/schale ✓""#,
        ],
    ),
    (
        "in_text_extra_keys.json",
        &[
            r#"message text wamid.KILN0022 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "still here""#,
        ],
    ),
    (
        "in_text_forwarded.json",
        &[
            r#"message text wamid.KILN0014 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "Look at this" forwarded"#,
        ],
    ),
    (
        "in_text_frequently_forwarded.json",
        &[
            r#"message text wamid.KILN0015 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "Everybody reads this" forwarded often"#,
        ],
    ),
    (
        "in_text_group.json",
        &[
            r#"message text wamid.KILN0019 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "Hello everybody" group=R3JvdXBLaWxu"#,
        ],
    ),
    (
        "in_text_half_surrogate.json",
        &[
            r#"message text wamid.KILN0004 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "cut off �""#,
        ],
    ),
    (
        "in_text_long.json",
        &[
            r#"message text wamid.KILN0023 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text 4096 chars"#,
        ],
    ),
    (
        "in_text_no_contacts.json",
        &[r#"message text wamid.KILN0009 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb: text "who am I?""#],
    ),
    (
        "in_text_no_profile.json",
        &[r#"message text wamid.KILN0010 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb: text "nameless""#],
    ),
    (
        "in_text_numbers_for_strings.json",
        &[
            r#"message text wamid.KILN0005 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "numbers everywhere""#,
        ],
    ),
    (
        "in_text_phone_only.json",
        &[r#"message text wamid.KILN0006 @1795350600 from 4915155500137 "Ilse Brandt": text "old shape""#],
    ),
    (
        "in_text_plain.json",
        &[
            r#"message text wamid.KILN0001 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "Good morning! Do the blue mugs come in pairs?""#,
        ],
    ),
    (
        "in_text_product_enquiry.json",
        &[
            r#"message text wamid.KILN0016 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "Dishwasher safe?" reply=wamid.PRODUCT0001 product=660077/BOWL-RAKU-18"#,
        ],
    ),
    (
        "in_text_referral_ad.json",
        &[
            r#"message text wamid.KILN0017 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "Saw your ad" from-ad=ad:120300000777:ClickKiln77:https://img.example/autumn.jpg"#,
        ],
    ),
    (
        "in_text_referral_status_ad.json",
        &[
            r#"message text wamid.KILN0018 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "Is Saturday free?" from-ad=ad:120300000778:-:https://img.example/studio.mp4"#,
        ],
    ),
    (
        "in_text_reply.json",
        &[
            r#"message text wamid.KILN0013 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "The second one, please" reply=wamid.OURS0001"#,
        ],
    ),
    (
        "in_text_stop.json",
        &[r#"message text wamid.KILN0020 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "STOP""#],
    ),
    (
        "in_text_type_missing.json",
        &[
            r#"message text wamid.KILN0021 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "I lost my type""#,
        ],
    ),
    (
        "in_text_unicode.json",
        &[
            r#"message text wamid.KILN0002 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": text "مرحبا 👩🏽‍🎨\nquanto é? \u{200f}😀""#,
        ],
    ),
    (
        "in_text_username_and_phone.json",
        &[
            r#"message text wamid.KILN0008 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb @ilse.b "Ilse Brandt": text "Hallo nochmal""#,
        ],
    ),
    (
        "in_text_wrong_contact.json",
        &[r#"message text wamid.KILN0011 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb: text "not Tomás""#],
    ),
    (
        "in_unknown_alias.json",
        &[
            r#"message unknown wamid.KILN0413 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": unsupported unknown err=130501"#,
        ],
    ),
    (
        "in_unsupported_phone_only.json",
        &[
            r#"message unsupported wamid.KILN0412 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": unsupported unsupported err=131060"#,
        ],
    ),
    (
        "in_unsupported_poll.json",
        &[
            r#"message unsupported wamid.KILN0410 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": unsupported poll err=131051"#,
        ],
    ),
    (
        "in_unsupported_untyped.json",
        &[
            r#"message unsupported wamid.KILN0411 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": unsupported unsupported err=131051"#,
        ],
    ),
    (
        "in_video_plain.json",
        &[
            r#"message video wamid.KILN0103 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": video id=9001003 mime=video/mp4 caption="It wobbles""#,
        ],
    ),
    (
        "in_video_too_big.json",
        &[
            r#"message video wamid.KILN0104 @1795350600 from 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt": video failure=131052 err=131052"#,
        ],
    ),
    ("status_deleted_other.json", &[r#"status other:deleted wamid.OURS127 @1795350700 to 4915155500137"#]),
    (
        "status_delivered_authentication.json",
        &[
            r#"status delivered wamid.OURS1009 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt" price=authentication-international/regular/true"#,
        ],
    ),
    (
        "status_delivered_bsuid_only.json",
        &[
            r#"status delivered wamid.OURS1008 @1795350700 to NL.0nOoR4711x ^NL.ENT.9P4rent01 @noor.keramiek "Noor de Wit" price=marketing/regular/true"#,
        ],
    ),
    (
        "status_delivered_group.json",
        &[
            r#"status delivered wamid.OURS1010 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt" group=R3JvdXBLaWxu"#,
            r#"status delivered wamid.OURS1010 @1795350701 to 351910000077 PT.55aBcD90eF "Tomás Rebelo" group=R3JvdXBLaWxu"#,
        ],
    ),
    (
        "status_delivered_service.json",
        &[
            r#"status delivered wamid.OURS1007 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt" price=service/regular/true"#,
        ],
    ),
    ("status_failed_130472.json", &[r#"status failed wamid.OURS1107 @1795350700 to 4915155500137 err=130472"#]),
    ("status_failed_131000.json", &[r#"status failed wamid.OURS1110 @1795350700 to 4915155500137 err=131000"#]),
    ("status_failed_131026.json", &[r#"status failed wamid.OURS1100 @1795350700 to 4915155500137 err=131026"#]),
    ("status_failed_131042.json", &[r#"status failed wamid.OURS1105 @1795350700 to 4915155500137 err=131042"#]),
    ("status_failed_131047.json", &[r#"status failed wamid.OURS1101 @1795350700 to 4915155500137 err=131047"#]),
    ("status_failed_131049.json", &[r#"status failed wamid.OURS1102 @1795350700 to 4915155500137 err=131049"#]),
    ("status_failed_131050.json", &[r#"status failed wamid.OURS1103 @1795350700 to 4915155500137 err=131050"#]),
    ("status_failed_131051.json", &[r#"status failed wamid.OURS1109 @1795350700 to 4915155500137 err=131051"#]),
    ("status_failed_131053.json", &[r#"status failed wamid.OURS1104 @1795350700 to 4915155500137 err=131053"#]),
    ("status_failed_131056.json", &[r#"status failed wamid.OURS1106 @1795350700 to 4915155500137 err=131056"#]),
    ("status_failed_132015.json", &[r#"status failed wamid.OURS1108 @1795350700 to 4915155500137 err=132015"#]),
    (
        "status_failed_two_errors.json",
        &[r#"status failed wamid.OURS1120 @1795350700 to 4915155500137 opaque=0199a7f0-bb err=131053 err=131000"#],
    ),
    ("status_failed_without_reason.json", &[r#"status failed wamid.OURS1121 @1795350700 to 4915155500137"#]),
    ("status_payment_captured.json", &[r#"status other:payment.captured wamid.OURS1209 @1795350700 to 4915155500137"#]),
    ("status_payment_failed.json", &[r#"status other:payment.failed wamid.OURS1209 @1795350701 to 4915155500137"#]),
    (
        "status_played_voice.json",
        &[r#"status played wamid.OURS1012 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt""#],
    ),
    (
        "status_read_marketing.json",
        &[
            r#"status read wamid.OURS1011 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb @ilse.b "Ilse Brandt" price=marketing_lite/regular/true"#,
        ],
    ),
    (
        "status_sent_conversation.json",
        &[r#"status sent wamid.OURS1002 @1795350700 to 4915155500137 price=utility/-/true"#],
    ),
    (
        "status_sent_free_customer_service.json",
        &[
            r#"status sent wamid.OURS1003 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt" price=service/free_customer_service/false"#,
        ],
    ),
    (
        "status_sent_free_entry_point.json",
        &[
            r#"status sent wamid.OURS1004 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt" price=referral_conversion/free_entry_point/false"#,
        ],
    ),
    ("status_sent_minimal.json", &[r#"status sent wamid.OURS1001 @1795350700 to 4915155500137"#]),
    (
        "status_sent_numbers.json",
        &[r#"status sent wamid.OURS1013 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt""#],
    ),
    (
        "status_sent_opaque.json",
        &[
            r#"status sent wamid.OURS1005 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt" opaque=0199a7f0-5b1c-7d3e-8f00-0000000000aa price=utility/regular/true"#,
        ],
    ),
    (
        "status_sent_opaque_json.json",
        &[
            r#"status sent wamid.OURS1006 @1795350700 to 4915155500137 DE.7Kq2mZ81pLxVb "Ilse Brandt" opaque={"o":"0199a7f0"}"#,
        ],
    ),
    ("status_teleported_future.json", &[r#"status other:teleported wamid.OURS1208 @1795350700 to 4915155500137"#]),
    ("status_warning_other.json", &[r#"status other:warning wamid.OURS127 @1795350700 to 4915155500137"#]),
];
