package edge

// hindiDoses is the part of the catalogue for dose events and corrections.
func hindiDoses() map[string]string {
	return map[string]string{
		"a proposal has no correction_id yet": "प्रस्ताव में अभी correction_id नहीं होता",
		"this centre has fewer than three members of staff: what was proposed is approved 24 hours later, and is on the public list meanwhile": "इस केंद्र में तीन से कम कर्मचारी हैं: प्रस्ताव 24 घंटे बाद ही स्वीकृत होता है, और तब तक सार्वजनिक सूची में रहता है",
		"too many corrections of this centre wait for a second person; approve those first":                                                    "इस केंद्र के बहुत सुधार दूसरे व्यक्ति की प्रतीक्षा में हैं; पहले उन्हें स्वीकृत करें",
		"event_id is not an id of a dose event, as the list of doses has it":                                                                   "event_id खुराकों की सूची वाली किसी खुराक की आईडी नहीं है",
		"No dose of this person counts, so there is no certificate: none was recorded, it waits to be confirmed, or it was taken back":         "इस व्यक्ति की कोई खुराक मान्य नहीं है, इसलिए प्रमाणपत्र नहीं है: कोई दर्ज नहीं हुई, उसकी पुष्टि बाकी है, या वह वापस ले ली गई",
		"the key that proposed this was ended since; propose it again":                                                                         "जिस कुंजी से यह प्रस्ताव आया था वह अब बंद है; फिर से प्रस्ताव करें",
		"correction_id is not an id of a correction":                                                                                           "correction_id किसी सुधार की आईडी नहीं है",
		"after is the id of the last entry of the page before":                                                                                 "after पिछले पृष्ठ की अंतिम प्रविष्टि की आईडी है",
		"nobody shows anything here: X-Evidence is not for this address":                                                                       "यहाँ कोई कुछ नहीं दिखाता: इस पते पर X-Evidence नहीं चलता",
		"person_seen belongs to a confirmation":                                                                                                "person_seen केवल पुष्टि में होता है",
		"country belongs to a dose given abroad":                                                                                               "country केवल विदेश में लगी खुराक के लिए है",
		"this proposal is too old; propose it again":                                                                                           "यह प्रस्ताव बहुत पुराना है; फिर से प्रस्ताव करें",
		"this dose waits for no confirmation":                                                                                                  "यह खुराक किसी पुष्टि की प्रतीक्षा में नहीं है",
		"kind is assign, confirm, correct, revoke or details":                                                                                  "kind assign, confirm, correct, revoke या details होता है",
		"too many rows at once":                                                                      "एक बार में बहुत अधिक पंक्तियाँ",
		"this correction was carried out already":                                                    "यह सुधार पहले ही हो चुका है",
		"a dose from a record was given before today":                                                "अभिलेख वाली खुराक आज से पहले लगी होती है",
		"the registration is not stored yet":                                                         "पंजीकरण अभी सुरक्षित नहीं हुआ है",
		"the correction is malformed":                                                                "सुधार का रूप सही नहीं है",
		"who confirms a dose has seen the person: person_seen":                                       "खुराक की पुष्टि करने वाले ने व्यक्ति को देखा हो: person_seen",
		"source is administered, historical or abroad":                                               "source administered, historical या abroad होता है",
		"somebody else approves what you proposed":                                                   "आपके प्रस्ताव को कोई और स्वीकृत करेगा",
		"too many doses without evidence today":                                                      "आज बिना प्रमाण की बहुत अधिक खुराकें दर्ज हुईं",
		"a correction says what is right: vaccine, vaccine_batch, dose or date":                      "सुधार बताए कि क्या सही है: vaccine, vaccine_batch, dose या date",
		"a dose of this number is recorded already; the centre has to correct one of them first":     "इस क्रम की खुराक पहले से दर्ज है; केंद्र को पहले उनमें से एक सुधारनी होगी",
		"this dose is in another person's record: they dispute it, or it is revoked there, first":    "यह खुराक किसी और व्यक्ति के रिकॉर्ड में है: पहले वे इसे अस्वीकार करें या वहाँ इसे रद्द किया जाए",
		"this dose waits for no answer; what was recorded with your code is corrected at the centre": "इस खुराक पर उत्तर नहीं माँगा गया; जो आपके कोड से दर्ज हुआ वह केंद्र पर सुधारा जाता है",
		"country is the two capital letters of the country the dose was given in (ISO 3166-1)":       "country उस देश के दो बड़े अक्षर हैं जहाँ खुराक लगी (ISO 3166-1)",
	}
}
