package edge

// hindiDevices is the part of the catalogue for devices and the PIN of a household.
func hindiDevices() map[string]string {
	return map[string]string{
		"This device is new to this number. For a day at most it can book, and see initials and status. Confirm it with a card, with the other channel or with the PIN to see everything now (/api/v3/devices)": "यह डिवाइस इस नंबर के लिए नया है। अधिकतम एक दिन तक इससे बुकिंग हो सकती है और नाम के पहले अक्षर व स्थिति दिखती है। अभी सब कुछ देखने के लिए कार्ड, दूसरे माध्यम या पिन से इसकी पुष्टि करें (/api/v3/devices)",
		"The PIN is not right, or it was tried too often, or there is none": "पिन सही नहीं है, या उसे बहुत बार आज़माया गया, या कोई पिन नहीं है",
		"a PIN has 6 to 12 digits":                          "पिन में 6 से 12 अंक होते हैं",
		"this PIN is too easy to guess; choose another one": "इस पिन का अनुमान लगाना बहुत आसान है; दूसरा चुनें",
		"This device came here less than a day ago. It can end others tomorrow, or when a card or the other channel has confirmed it": "यह डिवाइस एक दिन से कम समय पहले आया है। यह दूसरों को कल हटा सकता है, या जब कार्ड या दूसरे माध्यम से इसकी पुष्टि हो जाए",
		"the session has gone on for as long as one may: sign in again":                                                               "सत्र जितना चल सकता था उतना चल चुका है: फिर से साइन इन करें",
		"the session goes on only with the key of the device that it began on: sign in again":                                         "सत्र केवल उसी डिवाइस की कुंजी से आगे चलता है जिस पर वह शुरू हुआ: फिर से साइन इन करें",
		"no such device":                    "ऐसा कोई डिवाइस नहीं है",
		"this device needs no confirmation": "इस डिवाइस की पुष्टि की आवश्यकता नहीं है",
		"no other channel was confirmed; a card or the PIN confirms this device": "किसी दूसरे माध्यम की पुष्टि नहीं हुई है; कार्ड या पिन से इस डिवाइस की पुष्टि होती है",
	}
}
