package edge

// hindiMessages is the part of the catalogue for messages and where they go.
func hindiMessages() map[string]string {
	return map[string]string{
		codeWaits: "मोबाइल नेटवर्क अभी कोड वाला संदेश नहीं ले रहा है। लेते ही संदेश भेजा जाएगा, और कोड माँगने के तीन मिनट बाद तक मान्य है। तब तक न आए तो नया कोड माँगें, या टीकाकरण केंद्र जाएँ।",
		"an e-mail address is wanted, as name@example.org":                                  "ईमेल पता name@example.org के रूप में दें",
		"no message can be sent to this e-mail address from here; look whether it is right": "यहाँ से इस ईमेल पते पर संदेश नहीं भेजा जा सकता; देखें कि पता सही है या नहीं",
		"no district has this number; choose one of the list of districts":                  "इस संख्या का कोई ज़िला नहीं है; ज़िलों की सूची में से चुनें",
		"no postal area and no centre has this PIN code; look whether it is right":          "इस पिन कोड का न कोई डाक क्षेत्र है न केंद्र; देखें कि पिन कोड सही है या नहीं",
		"this household has asked for this already":                                         "यह परिवार यह सूचना पहले ही माँग चुका है",
		"messages go to a mobile; link one to this registration before asking for them":     "संदेश मोबाइल पर जाते हैं; सूचना माँगने से पहले इस पंजीकरण से मोबाइल जोड़ें",
	}
}
