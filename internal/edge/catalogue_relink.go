package edge

// hindiRelink is the part of the catalogue for lost phones and changed numbers.
func hindiRelink() map[string]string {
	return map[string]string{
		"one of beneficiary_reference_id and card says whom it is about":                                             "beneficiary_reference_id और card में से ठीक एक बताए कि अनुरोध किसके बारे में है",
		"the number, the card or the document is not right; look at them together and ask again":                     "संख्या, कार्ड या पहचान पत्र सही नहीं है; उन्हें साथ में देखें और फिर से अनुरोध करें",
		"this person is to be moved to another number already; that one is stopped first, or ends by itself":         "इस व्यक्ति को पहले से किसी और नंबर पर ले जाया जाना है; पहले उसे रोका जाए, या वह अपने आप समाप्त हो",
		"this person is registered under that number; a code sent to it signs them in":                               "यह व्यक्ति उसी नंबर से पंजीकृत है; उस पर भेजे गए कोड से साइन इन होता है",
		"so many messages went to the number before today that it cannot be told of this; try again tomorrow":        "पिछले नंबर पर आज इतने संदेश गए कि उसे इसकी सूचना नहीं दी जा सकती; कल फिर कोशिश करें",
		"nothing of that kind waits here; it may have been stopped, ended or taken over":                             "यहाँ ऐसा कुछ प्रतीक्षा में नहीं है; हो सकता है उसे रोका गया हो, वह समाप्त या पूरा हो चुका हो",
		"too many wrong reference numbers today; try again tomorrow, or go to a vaccination centre":                  "आज बहुत सी गलत संदर्भ संख्याएँ दी गईं; कल फिर कोशिश करें, या टीकाकरण केंद्र जाएँ",
		"the number before has three days to say no; come back when they are over":                                   "पिछले नंबर के पास मना करने के लिए तीन दिन हैं; उनके बाद फिर आएँ",
		"what two members of staff agreed on is no longer good; go to a vaccination centre with your document again": "दो कर्मचारियों ने जिस पर सहमति दी थी वह अब मान्य नहीं है; अपने पहचान पत्र के साथ फिर टीकाकरण केंद्र जाएँ",
		"a child goes to a number under which an adult is registered: register or bring the adult first":             "बच्चा उसी नंबर पर जाता है जिससे कोई वयस्क पंजीकृत हो: पहले वयस्क का पंजीकरण करें या उन्हें लाएँ",
		"request_id is the id of one that waits":                                                                     "request_id प्रतीक्षा में किसी अनुरोध की आईडी है",
	}
}
