package edge

// hindiPartners is the part of the catalogue for partner applications and consents.
func hindiPartners() map[string]string {
	return map[string]string{
		"a partner signs its requests: a DPoP proof is wanted beside the x-api-key": "सहयोगी संस्था अपने अनुरोधों पर हस्ताक्षर करती है: x-api-key के साथ DPoP प्रमाण दें",
		"the person's consent does not cover this for a partner":                    "व्यक्ति की सहमति में सहयोगी संस्था के लिए यह शामिल नहीं है",
		"the proof is for another request":                                          "यह प्रमाण किसी दूसरे अनुरोध का है",
		"the proof's time is too far from the server's clock":                       "प्रमाण का समय सर्वर की घड़ी से बहुत अलग है",
		"the proof has no usable jti":                                               "प्रमाण में काम का jti नहीं है",
		"consent_version is not one that was published":                             "consent_version प्रकाशित संस्करणों में से नहीं है",
		"the proof was used before":                                                 "यह प्रमाण पहले काम में आ चुका है",
	}
}
