package edge

// hindiGlass is the part of the catalogue for people who cannot show anything.
func hindiGlass() map[string]string {
	return map[string]string{
		"the manager of the centre, or the privacy officer of the place, sees that":                                                                               "इसे केंद्र का प्रबंधक या उस स्थान का निजता अधिकारी देखता है",
		"no such entry is on the list, or it is too old":                                                                                                          "सूची में ऐसी कोई प्रविष्टि नहीं है, या वह बहुत पुरानी है",
		"no session is open at this centre today; its manager opens one":                                                                                          "आज इस केंद्र पर कोई सत्र खुला नहीं है; इसका प्रबंधक सत्र खोलता है",
		"only who opens records at a centre, and works there today, does this":                                                                                    "यह वही करता है जो केंद्र पर रिकॉर्ड खोलता है और आज वहाँ ड्यूटी पर है",
		"who asks touches their own passkey; the second person approves what was asked":                                                                           "जो अनुरोध करे वह अपनी पासकी लगाए; दूसरा व्यक्ति उस अनुरोध को स्वीकृत करे",
		"no such request waits, or its five minutes are over; ask again":                                                                                          "ऐसा कोई अनुरोध नहीं है, या उसके पाँच मिनट पूरे हो गए; फिर से अनुरोध करें",
		"one of you two has broken the glass twice today, or stood by it: other members of staff do it, or the person brings their code, card or a one-time code": "आप दोनों में से एक आज दो बार आपात-रूप से रिकॉर्ड खोल चुका है या उसमें साथ दे चुका है: अन्य कर्मचारी यह करें, या व्यक्ति अपना कोड, कार्ड या ओटीपी दिखाए",
		"one of beneficiary_reference_id, card and row_id says whom it is about":                                                                                  "beneficiary_reference_id, card और row_id में से ठीक एक बताए कि अनुरोध किसके बारे में है",
		"too many wrong codes and numbers, or requests, of yours today; a colleague has to go on":                                                                 "आज आपके बहुत अधिक गलत कोड, संख्याएँ या अनुरोध हुए; आगे कोई सहकर्मी करे",
		"this request says something else than what you approved; read it again":                                                                                  "यह अनुरोध उससे अलग है जिसे आपने स्वीकृत किया; इसे फिर से पढ़ें",
		"who asked for this no longer works here":                                                                                                                 "जिसने यह अनुरोध किया वह अब यहाँ काम नहीं करता",
		"who approved this no longer works here":                                                                                                                  "जिसने इसे स्वीकृत किया वह अब यहाँ काम नहीं करता",
		"somebody who works at this centre today, as its manager, vaccinator or verifier, stands by it":                                                           "इसे वही स्वीकृत करे जो आज इस केंद्र पर प्रबंधक, टीकाकर्मी या सत्यापनकर्ता के रूप में काम करता है",
		"somebody else approves what you asked for":                                                                                                               "आपके अनुरोध को कोई और स्वीकृत करे",
		"the record is not that of the request":                                                                                                                   "यह रिकॉर्ड अनुरोध वाला नहीं है",
		"only who works at the centre sees what waits there":                                                                                                      "केंद्र पर क्या प्रतीक्षा में है यह वहीं काम करने वाला देखता है",
		"the privacy officer of the place, or the manager of the centre, sees that":                                                                               "इसे उस स्थान का निजता अधिकारी या केंद्र का प्रबंधक देखता है",
	}
}
