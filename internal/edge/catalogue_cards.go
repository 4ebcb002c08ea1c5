package edge

// hindiCards is the part of the catalogue for people without a mobile and for
// what staff see.
func hindiCards() map[string]string {
	return map[string]string{
		"this person was registered a moment ago and has a card":                                                                 "यह व्यक्ति अभी पंजीकृत हुआ है और उसके पास कार्ड है",
		"this person already has a mobile":                                                                                       "इस व्यक्ति का मोबाइल पहले से जुड़ा है",
		"only a vaccinator of the centre opens a record":                                                                         "रिकॉर्ड केवल केंद्र का टीकाकर्मी खोलता है",
		"no session is open at this centre today":                                                                                "आज इस केंद्र पर कोई सत्र खुला नहीं है",
		"The card or its PIN is not right, or the card is locked for a while":                                                    "कार्ड या उसका पिन सही नहीं है, या कार्ड कुछ समय के लिए बंद है",
		"two different beneficiaries are joined":                                                                                 "दो अलग लाभार्थी जोड़े जाते हैं",
		"only a vaccinator registers people at a centre":                                                                         "केंद्र पर पंजीकरण केवल टीकाकर्मी करता है",
		"a card opens one person's record; sign in with a mobile for this":                                                       "कार्ड एक ही व्यक्ति का रिकॉर्ड खोलता है; इसके लिए मोबाइल से साइन इन करें",
		"name, birth year and gender of the two registrations are not the same":                                                  "दोनों पंजीकरणों का नाम, जन्म वर्ष और लिंग एक जैसे नहीं हैं",
		"a walk-in is booked in a session that is open at the centre today":                                                      "बिना बुकिंग आए व्यक्ति को आज केंद्र पर खुले सत्र में ही जगह मिलती है",
		"a walk-in is booked for one beneficiary":                                                                                "बिना बुकिंग आए एक ही लाभार्थी के लिए जगह ली जाती है",
		"this registration is being joined with another; try again":                                                              "यह पंजीकरण दूसरे से जोड़ा जा रहा है; फिर से कोशिश करें",
		"cancel the appointment of the registration that ends first":                                                             "जो पंजीकरण समाप्त होगा उसका अपॉइंटमेंट पहले रद्द करें",
		"too many registrations today; a colleague has to go on":                                                                 "आज बहुत पंजीकरण हुए; आगे कोई सहकर्मी काम करे",
		"This adult has a card of their own: give that card and its PIN first (/api/v3/people/unlock), or sign in with the card": "इस वयस्क का अपना कार्ड है: पहले वह कार्ड और उसका पिन दें (/api/v3/people/unlock), या उस कार्ड से साइन इन करें",
		"to_merge is Y or N":                     "to_merge Y या N होता है",
		"X-Evidence is a code, a card or an otp": "X-Evidence एक कोड, कार्ड या otp होता है",
	}
}
