package edge

// hindiRoster is the part of the catalogue for openings from the day's list.
func hindiRoster() map[string]string {
	return map[string]string{
		"open this person by their code, card or a one-time code":                            "इस व्यक्ति का रिकॉर्ड उसके कोड, कार्ड या ओटीपी से खोलें",
		"this centre opens by what the person shows: their code, card or a one-time code":    "यह केंद्र व्यक्ति के दिखाए कोड, कार्ड या ओटीपी से ही रिकॉर्ड खोलता है",
		"the record is not that of the row":                                                  "यह रिकॉर्ड सूची की उस पंक्ति का नहीं है",
		"that session is not open at this centre today":                                      "वह सत्र आज इस केंद्र पर खुला नहीं है",
		"you have had this list five times today; work on with the one you have, or by code": "यह सूची आज पाँच बार ली जा चुकी है; जो सूची है उसी से, या कोड से काम करें",
		"opening from the list needs the passkey of a signed-in member of staff, touched for this very request; a machine's key opens by what the person shows":           "सूची से रिकॉर्ड खोलने के लिए साइन इन किए कर्मचारी की पासकी इसी अनुरोध के लिए चाहिए; मशीन की कुंजी से रिकॉर्ड व्यक्ति के दिखाए प्रमाण पर ही खुलता है",
		"too many people are open and not closed: record the dose, or close who left without one; meanwhile open the next person by their code, card or a one-time code":  "बहुत से रिकॉर्ड खुले हैं और बंद नहीं हुए: खुराक दर्ज करें, या जो बिना खुराक गए उन्हें बंद करें; तब तक अगले व्यक्ति का रिकॉर्ड उसके कोड, कार्ड या ओटीपी से खोलें",
		"today's openings from the list are used up: open the next person by their code, card or a one-time code; each dose that its holder confirms makes room for more": "सूची से खोलने की आज की सीमा पूरी हुई: अगले व्यक्ति का रिकॉर्ड उसके कोड, कार्ड या ओटीपी से खोलें; लाभार्थी जिस खुराक की पुष्टि करे उससे सीमा बढ़ती है",
		"today you open by code only: ask the next person for their code, card or a one-time code; your manager sees why":                                                 "आज आप केवल कोड से रिकॉर्ड खोल सकते हैं: अगले व्यक्ति से उसका कोड, कार्ड या ओटीपी माँगें; कारण आपके प्रबंधक को दिखता है",
		"this centre's openings from the list are used up today: open the next person by their code, card or a one-time code":                                             "इस केंद्र की सूची से खोलने की आज की सीमा पूरी हुई: अगले व्यक्ति का रिकॉर्ड उसके कोड, कार्ड या ओटीपी से खोलें",
		"far more is opened from lists in this district than usual: open the next person by their code, card or a one-time code; the list works again in the next hour":   "इस ज़िले में सूची से सामान्य से बहुत अधिक रिकॉर्ड खोले जा रहे हैं: अगले व्यक्ति का रिकॉर्ड उसके कोड, कार्ड या ओटीपी से खोलें; सूची अगले घंटे फिर काम करेगी",
		"far more is opened from lists than usual: open the next person by their code, card or a one-time code; the list works again in the next hour":                    "सूची से सामान्य से बहुत अधिक रिकॉर्ड खोले जा रहे हैं: अगले व्यक्ति का रिकॉर्ड उसके कोड, कार्ड या ओटीपी से खोलें; सूची अगले घंटे फिर काम करेगी",
		"too many visits of today were closed without a dose: leave this one open, the day ends it; open the next person by their code, card or a one-time code":          "आज बहुत सी भेंट बिना खुराक बंद हुईं: इसे खुला रहने दें, दिन के अंत में यह बंद होगी; अगले व्यक्ति का रिकॉर्ड उसके कोड, कार्ड या ओटीपी से खोलें",
		"you have not opened this person from the list today, or the visit has ended":                                                                                     "आपने आज इस व्यक्ति का रिकॉर्ड सूची से नहीं खोला, या भेंट समाप्त हो चुकी है",
	}
}
