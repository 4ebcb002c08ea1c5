package edge

// hindiAway is the part of the catalogue for a vault that does nothing now.
func hindiAway() map[string]string {
	return map[string]string{
		"The part of the service that keeps the records stopped answering. It is not known whether your request was carried out: please look before you send it again.":              "रिकॉर्ड रखने वाले हिस्से ने उत्तर देना बंद कर दिया। यह ज्ञात नहीं है कि आपका अनुरोध पूरा हुआ या नहीं: कृपया दोबारा भेजने से पहले देख लें।",
		"The part of the service that keeps the records cannot be reached. Signing in, bookings and certificates wait; finding a centre goes on. Please try again in a few seconds.": "रिकॉर्ड रखने वाले हिस्से से संपर्क नहीं हो पा रहा है। साइन इन, बुकिंग और प्रमाणपत्र अभी रुके हैं; केंद्र खोजना चालू है। कृपया कुछ सेकंड में फिर कोशिश करें।",
		"The records are locked: the service has been started and waits for the people who hold its key. Finding a centre goes on. Please try again in a few minutes.":               "रिकॉर्ड बंद हैं: सेवा शुरू हुई है और अपनी चाबी रखने वालों की प्रतीक्षा कर रही है। केंद्र खोजना चालू है। कृपया कुछ मिनट में फिर कोशिश करें।",
		"What holds the keys of the records does not answer, so this waits. Please try again in a few seconds.":                                                                      "रिकॉर्ड की चाबियाँ रखने वाला हिस्सा उत्तर नहीं दे रहा है, इसलिए यह अनुरोध रुका है। कृपया कुछ सेकंड में फिर कोशिश करें।",
		"This server stands by while another one serves. Please use the service's usual address.":                                                                                    "यह सर्वर तैयार खड़ा है और दूसरा सेवा दे रहा है। कृपया सेवा का सामान्य पता इस्तेमाल करें।",
	}
}
