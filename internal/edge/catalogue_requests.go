package edge

// hindiRequests is the part of the catalogue for what people ask about their own records.
func hindiRequests() map[string]string {
	return map[string]string{
		"this is no tracking number: it has twelve digits; check each of them":                                                                       "यह ट्रैकिंग संख्या नहीं है: इसमें बारह अंक होते हैं; हर अंक जाँचें",
		"no such request, or it is not yours to see":                                                                                                 "ऐसा कोई अनुरोध नहीं है, या यह आपके देखने के लिए नहीं है",
		"Input parameter missing: text (some words, at most 1500 bytes)":                                                                             "text नहीं दिया गया (कुछ शब्द, अधिक से अधिक 1500 बाइट)",
		"Input parameter missing: reason (some words, at most 1500 bytes)":                                                                           "reason नहीं दिया गया (कुछ शब्द, अधिक से अधिक 1500 बाइट)",
		"text has characters that cannot be shown":                                                                                                   "text में ऐसे अक्षर हैं जो दिखाए नहीं जा सकते",
		"reason has characters that cannot be shown":                                                                                                 "reason में ऐसे अक्षर हैं जो दिखाए नहीं जा सकते",
		"kind is opening, member, move, details, dose or revoke":                                                                                     "kind इनमें से एक है: opening, member, move, details, dose, revoke",
		"Input parameter missing: index (of the entry of the access history)":                                                                        "index नहीं दिया गया (रिकॉर्ड खोलने के इतिहास की प्रविष्टि का)",
		"Input parameter missing: event_id":                                                                                                          "event_id नहीं दिया गया",
		"who asks for a correction says what is right: name, birth_year, birth_date or gender_id":                                                    "सुधार माँगने वाला बताए कि सही क्या है: name, birth_year, birth_date या gender_id",
		"center_id belongs to a correction of name, birth or gender":                                                                                 "center_id केवल नाम, जन्म या लिंग के सुधार में दें",
		"Input parameter missing: center_id (the centre where you show your identity document)":                                                      "center_id नहीं दिया गया (वह केंद्र जहाँ आप अपना पहचान पत्र दिखाएँगे)",
		"no such entry in this person's access history":                                                                                              "इस व्यक्ति के इतिहास में ऐसी कोई प्रविष्टि नहीं है",
		"this dose waits for your own answer: say there whether it is yours":                                                                         "यह खुराक आपके उत्तर की प्रतीक्षा में है: वहीं बताएँ कि यह आपकी है या नहीं",
		"this dose was revoked already":                                                                                                              "यह खुराक पहले ही रद्द की जा चुकी है",
		"this request was answered already":                                                                                                          "इस अनुरोध का उत्तर पहले ही दिया जा चुका है",
		"this can no longer be undone; with their card the person can be linked to a mobile again":                                                   "इसे अब वापस नहीं लिया जा सकता; व्यक्ति अपने कार्ड से फिर किसी मोबाइल से जुड़ सकता है",
		"too many requests from this number today; please try again tomorrow":                                                                        "आज इस नंबर से बहुत अधिक अनुरोध हुए; कृपया कल फिर प्रयास करें",
		"too many requests were made here; go to a vaccination centre":                                                                               "यहाँ बहुत अधिक अनुरोध किए गए; किसी टीकाकरण केंद्र पर जाएँ",
		"This device came here less than a day ago. It can take people off this list tomorrow, or when a card or the other channel has confirmed it": "यह डिवाइस एक दिन से कम समय पहले जुड़ा है। यह कल से लोगों को सूची से हटा सकेगा, या जब कार्ड या दूसरा माध्यम इसकी पुष्टि करे",
		"the manager of the centre, the district's administrator and the privacy officer of the place answer requests":                               "अनुरोधों का उत्तर केंद्र का प्रबंधक, ज़िले का प्रशासक और उस स्थान का निजता अधिकारी देता है",
		"somebody else answers what is about you":                                                                                                    "जो आपके बारे में है उसका उत्तर कोई और देता है",
		"after is what the page before said":                                                                                                         "after पिछले पृष्ठ का बताया हुआ मान है",
		"outcome is granted or refused":                                                                                                              "outcome granted या refused है",
		"correction_id belongs to a correction that was granted":                                                                                     "correction_id केवल स्वीकार किए गए सुधार में दें",
		"Input parameter missing: correction_id (of the correction that two of you carried out)":                                                     "correction_id नहीं दिया गया (उस सुधार का जिसे आप दो लोगों ने पूरा किया)",
		"that correction is not what this request asks for":                                                                                          "यह सुधार वह नहीं है जो इस अनुरोध में माँगा गया है",
		"no such correction was carried out: a second member of staff approves it first":                                                             "ऐसा कोई सुधार पूरा नहीं हुआ: पहले दूसरा कर्मचारी उसे स्वीकृत करे",
	}
}
