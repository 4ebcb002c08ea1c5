package notify

import "maps"

// templates is the message catalogue; English and Hindi are complete, Urdu has a part.
func templates() map[string]template {
	out := codeTemplates()
	for _, more := range []map[string]template{visitTemplates(), recordTemplates(), accessTemplates()} {
		maps.Copy(out, more)
	}
	return out
}

// codeTemplates are the messages with a one-time code: it comes first, and the last line binds it
// to the host, so that browsers fill it in there only (origin-bound one-time codes, WICG; web.md 9
// row 2).
func codeTemplates() map[string]template {
	return map[string]template{
		"code": {
			en:     "{code} is your code for Tikakosh. It is valid for 3 minutes. Share it with nobody.",
			hi:     "{code} टीकाकोष के लिए आपका कोड है। यह 3 मिनट तक मान्य है। इसे किसी को न बताएँ।",
			places: map[string]func(string) bool{"code": digits(6), "host": isHost},
		},
		// A partner's code says who gets what by it: the message is what the
		// person's consent rests on.
		"code-partner": {
			en:     "{code} lets {partner} sign in to Tikakosh for you and see initials and vaccination status of your household. It is valid for 3 minutes.",
			hi:     "{code} से {partner} आपकी ओर से टीकाकोष में साइन इन करके आपके परिवार के नामों के पहले अक्षर और टीकाकरण की स्थिति देख सकता है। यह 3 मिनट तक मान्य है।",
			places: map[string]func(string) bool{"code": digits(6), "partner": isPartner},
		},
		"code-certificate": {
			en:     "{code} lets {partner} sign in to Tikakosh for you, see initials and vaccination status of your household and download a certificate that you name. It is valid for 3 minutes.",
			hi:     "{code} से {partner} आपकी ओर से टीकाकोष में साइन इन करके परिवार के नामों के पहले अक्षर और टीकाकरण की स्थिति देख सकता है और आपका बताया प्रमाणपत्र डाउनलोड कर सकता है। यह 3 मिनट तक मान्य है।",
			places: map[string]func(string) bool{"code": digits(6), "partner": isPartner},
		},
		"code-status": {
			en:     "{code} lets {partner} learn once whether the person it asked about has no, some or all doses. It is valid for 3 minutes.",
			hi:     "{code} से {partner} एक बार जान सकता है कि जिस व्यक्ति के बारे में उसने पूछा उसे कोई, कुछ या सभी खुराकें लगी हैं। यह 3 मिनट तक मान्य है।",
			places: map[string]func(string) bool{"code": digits(6), "partner": isPartner},
		},
		// A code that a vaccinator asked for: it shows who it is and signs nobody in.
		"code-centre": {
			en:     "{code} shows the vaccinator before you that it is you, and opens your record to them once. It is valid for 3 minutes. If you are not at a centre, tell it to nobody.",
			hi:     "{code} आपके सामने के टीकाकर्मी को दिखाता है कि यह आप हैं, और आपका रिकॉर्ड उसे एक बार खोलता है। यह 3 मिनट तक मान्य है। यदि आप केंद्र पर नहीं हैं तो इसे किसी को न बताएँ।",
			places: map[string]func(string) bool{"code": digits(6)},
		},
		// The messages about the other channel itself.
		"code-email": {
			en:        "{code} confirms this e-mail address for messages about your household in Tikakosh. It is valid for 3 minutes. It signs nobody in. If you did not ask for it, ignore this message.",
			hi:        "{code} से टीकाकोष में आपके परिवार के संदेशों के लिए इस ईमेल पते की पुष्टि होती है। यह 3 मिनट तक मान्य है। इससे कोई साइन इन नहीं होता। यदि आपने इसे नहीं माँगा तो इस संदेश को अनदेखा करें।",
			places:    map[string]func(string) bool{"code": digits(6)},
			emailOnly: true,
		},
		// The messages about devices and the PIN (ADR 39).
		"code-device": {
			en:        "{code} confirms a new device for your household in Tikakosh. It is valid for 3 minutes. If you are not signing in on a new device now, give it to nobody: somebody else can read the messages to your mobile.",
			hi:        "{code} से टीकाकोष में आपके परिवार के लिए एक नए डिवाइस की पुष्टि होती है। यह 3 मिनट तक मान्य है। यदि आप अभी किसी नए डिवाइस पर साइन इन नहीं कर रहे हैं तो इसे किसी को न दें: कोई और आपके मोबाइल के संदेश पढ़ सकता है।",
			places:    map[string]func(string) bool{"code": digits(6)},
			emailOnly: true,
		},
	}
}

// visitTemplates are those about appointments and doses.
func visitTemplates() map[string]template {
	return map[string]template{
		// Messages about appointments name people by the last four digits of their
		// reference id, and nothing about health.
		"booking": {
			en:     "Appointment{centre}: {date}, {slot}.{people}\nShow the booking code only at the centre, before the dose.",
			hi:     "अपॉइंटमेंट{centre}: {date}, {slot}।{people}\nबुकिंग कोड टीके से पहले केवल केंद्र पर दिखाएँ।",
			places: map[string]func(string) bool{"date": isDate, "slot": isSlot, "centre": isCentre, "people": isPeople(true)},
		},
		"moved": {
			en:     "Appointment moved{centre}: {date}, {slot}.{people}\nOld booking codes are not valid any more.",
			hi:     "अपॉइंटमेंट बदला गया{centre}: {date}, {slot}।{people}\nपुराने बुकिंग कोड अब मान्य नहीं हैं।",
			places: map[string]func(string) bool{"date": isDate, "slot": isSlot, "centre": isCentre, "people": isPeople(true)},
		},
		"cancel": {
			en:     "Appointment{centre} on {date} cancelled.{people}\nIf you did not do this, sign in to Tikakosh and book again.",
			hi:     "{date} का अपॉइंटमेंट{centre} रद्द किया गया।{people}\nयदि यह आपने नहीं किया तो टीकाकोष में साइन इन करके फिर से बुक करें।",
			places: map[string]func(string) bool{"date": isDate, "centre": isCentre, "people": isPeople(false)},
		},
		"undrawn": {
			en:     "The draw{centre} for {date} is over: no place for your request.{people}\nSign in to Tikakosh to see it and to book elsewhere.",
			hi:     "{date} की लॉटरी{centre} पूरी हुई: आपके अनुरोध को जगह नहीं मिली।{people}\nइसे देखने और दूसरी जगह बुक करने के लिए टीकाकोष में साइन इन करें।",
			places: map[string]func(string) bool{"date": isDate, "centre": isCentre, "people": isPeople(false)},
		},
		"reminder": {
			en:     "Reminder: appointment{centre} tomorrow, {date}, {slot}.{people}",
			hi:     "याद दिलाना: कल {date}, {slot} को अपॉइंटमेंट{centre} है।{people}",
			places: map[string]func(string) bool{"date": isDate, "slot": isSlot, "centre": isCentre, "people": isPeople(true)},
		},
		"dose": {
			en:     "A new entry of {date}{centre} was added to your record in Tikakosh. Sign in to see it. If you were not there, tell the centre.",
			hi:     "टीकाकोष में आपके रिकॉर्ड में {date} की एक नई प्रविष्टि{centre} जोड़ी गई है। देखने के लिए साइन इन करें। यदि आप वहाँ नहीं थे तो केंद्र को बताएँ।",
			places: map[string]func(string) bool{"date": isDate, "centre": isCentre},
		},
		"places": {
			en:     "Places have become free{centre} on {date}, as you asked to be told. Book in Tikakosh; others were told too.",
			hi:     "जैसा आपने सूचना माँगी थी, {date} को जगहें खाली हुई हैं{centre}। टीकाकोष में बुक करें; दूसरों को भी बताया गया है।",
			places: map[string]func(string) bool{"date": isDate, "centre": isCentre},
		},
	}
}

// recordTemplates are those about what was done to a record or asked about it.
func recordTemplates() map[string]template {
	return map[string]template{
		"opening": {
			en:     "Your record in Tikakosh was opened{centre} on {date} at {time}. Sign in to see by whom and why. If you were not there, tell the centre.",
			hi:     "टीकाकोष में आपका रिकॉर्ड{centre} {date} को {time} बजे खोला गया। किसने और क्यों, यह देखने के लिए साइन इन करें। यदि आप वहाँ नहीं थे तो केंद्र को बताएँ।",
			places: map[string]func(string) bool{"date": isDate, "time": isTime, "centre": isCentre},
		},
		"break-glass": {
			en:     "Your record in Tikakosh was opened{centre} on {date} at {time} by two members of staff, without a code or card of yours. Sign in to see why. If you know nothing of it, tell the centre.",
			hi:     "टीकाकोष में आपका रिकॉर्ड{centre} {date} को {time} बजे दो कर्मचारियों ने आपके कोड या कार्ड के बिना खोला। कारण देखने के लिए साइन इन करें। यदि आपको इसकी जानकारी नहीं तो केंद्र को बताएँ।",
			places: map[string]func(string) bool{"date": isDate, "time": isTime, "centre": isCentre},
		},
		// A tracking number is random, and opens nothing.
		"answered": {
			en:     "There is an answer to your request {tracking} in Tikakosh. Sign in to read it.",
			hi:     "टीकाकोष में आपके अनुरोध {tracking} का उत्तर आ गया है। पढ़ने के लिए साइन इन करें।",
			places: map[string]func(string) bool{"tracking": isTracking},
		},
		"apart": {
			en: "A person was taken off the list of this number in Tikakosh. If you did not do this, sign in within 7 days and undo it under Your requests.",
			hi: "टीकाकोष में इस नंबर की सूची से एक व्यक्ति हटाया गया है। यदि यह आपने नहीं किया तो 7 दिनों में साइन इन करके 'आपके अनुरोध' में इसे वापस लें।",
		},
		"link-made": {
			en: "A link that shows a certificate of your household was made in Tikakosh. If you did not do this, sign in, open the certificate and end it under Share.",
			hi: "टीकाकोष में इस नंबर के परिवार का एक प्रमाणपत्र दिखाने वाला लिंक बनाया गया है। यदि यह आपने नहीं किया तो साइन इन करके उसे बंद करें।",
		},
		// What was done to a registration with the household's own code, device or card: who did
		// it may be somebody else.
		"left": {
			en: "A record of your household in Tikakosh was hidden, to be erased in a year. If you did not want this, sign in within 7 days and choose Come back (it wants their reference number or card), or tell a vaccination centre.",
			hi: "टीकाकोष में आपके परिवार का एक रिकॉर्ड छिपाया गया है; वह एक वर्ष बाद मिटेगा। यदि आप यह नहीं चाहते थे तो 7 दिनों में साइन इन करके 'लौटें' चुनें (संदर्भ संख्या या कार्ड चाहिए) या टीकाकरण केंद्र को बताएँ।",
			ur: "ٹیکاکوش میں آپ کے گھرانے کا ایک ریکارڈ چھپایا گیا ہے؛ وہ ایک سال بعد مٹے گا۔ اگر آپ یہ نہیں چاہتے تھے تو 7 دن میں سائن اِن کر کے 'واپس آئیں' چنیں (حوالہ نمبر یا کارڈ چاہیے) یا کسی ٹیکہ کاری مرکز کو بتائیں۔",
		},
		"removed": {
			en: "A registration of your household without a dose was deleted in Tikakosh. If you did not do this, sign in, look who is on your list and register the person again, or tell a vaccination centre.",
			hi: "टीकाकोष में आपके परिवार का एक पंजीकरण, जिसमें कोई खुराक नहीं थी, हटा दिया गया है। यदि यह आपने नहीं किया तो साइन इन करके अपनी सूची देखें और व्यक्ति का फिर से पंजीकरण करें, या किसी टीकाकरण केंद्र को बताएँ।",
			ur: "ٹیکاکوش میں آپ کے گھرانے کا ایک اندراج، جس میں کوئی خوراک نہیں تھی، حذف کر دیا گیا ہے۔ اگر یہ آپ نے نہیں کیا تو سائن اِن کر کے اپنی فہرست دیکھیں اور شخص کا دوبارہ اندراج کریں، یا کسی ٹیکہ کاری مرکز کو بتائیں۔",
		},
		"card-made": {
			en: "A new card was made in Tikakosh for a person of your household. An older card of theirs opens nothing now. If you did not do this, sign in and make another one, or tell a vaccination centre.",
			hi: "टीकाकोष में आपके परिवार के एक व्यक्ति के लिए नया कार्ड बनाया गया है। उनका पुराना कार्ड अब कुछ नहीं खोलता। यदि यह आपने नहीं किया तो साइन इन करके एक और कार्ड बनाएँ या किसी टीकाकरण केंद्र को बताएँ।",
			ur: "ٹیکاکوش میں آپ کے گھرانے کے ایک شخص کے لیے نیا کارڈ بنایا گیا ہے۔ ان کا پرانا کارڈ اب کچھ نہیں کھولتا۔ اگر یہ آپ نے نہیں کیا تو سائن اِن کر کے ایک اور کارڈ بنائیں یا کسی ٹیکہ کاری مرکز کو بتائیں۔",
		},
		"taken-back": {
			en: "A request of your household in Tikakosh was taken back. If you did not do this, sign in, look at Your requests and make it again, or tell a vaccination centre.",
			hi: "टीकाकोष में आपके परिवार का एक अनुरोध वापस ले लिया गया है। यदि यह आपने नहीं किया तो साइन इन करके 'आपके अनुरोध' देखें और उसे फिर से करें, या किसी टीकाकरण केंद्र को बताएँ।",
			ur: "ٹیکاکوش میں آپ کے گھرانے کی ایک درخواست واپس لے لی گئی ہے۔ اگر یہ آپ نے نہیں کیا تو سائن اِن کر کے 'آپ کی درخواستیں' دیکھیں اور اسے دوبارہ کریں، یا کسی ٹیکہ کاری مرکز کو بتائیں۔",
		},
		"relink": {
			en:     "Two members of staff{centre} want to move a registration from this number to another one in Tikakosh. It can be moved from {date} {time}. If you know nothing of it, sign in and stop it, or tell a centre.",
			hi:     "दो कर्मचारी{centre} टीकाकोष में एक पंजीकरण को इस नंबर से दूसरे नंबर पर ले जाना चाहते हैं। यह {date} को {time} बजे से हो सकेगा। यदि आपको इसकी जानकारी नहीं तो साइन इन करके इसे रोकें या किसी केंद्र को बताएँ।",
			places: map[string]func(string) bool{"date": isDate, "time": isTime, "centre": isCentre},
		},
		"relink-stopped": {
			en: "The move of a registration from this number to another one in Tikakosh was stopped. Nothing was moved.",
			hi: "टीकाकोष में इस नंबर से दूसरे नंबर पर पंजीकरण ले जाना रोक दिया गया। कुछ भी नहीं बदला।",
		},
		"relink-moved": {
			en: "A registration was moved from this number to another one in Tikakosh. If you did not expect this, tell a vaccination centre.",
			hi: "टीकाकोष में एक पंजीकरण इस नंबर से दूसरे नंबर पर ले जाया गया। यदि आपको इसकी अपेक्षा नहीं थी तो किसी टीकाकरण केंद्र को बताएँ।",
		},
		"linked": {
			en: "A registration was linked to this number in Tikakosh. Sign in to see it. If you did not expect this, tell a vaccination centre.",
			hi: "टीकाकोष में इस नंबर से एक पंजीकरण जोड़ा गया है। देखने के लिए साइन इन करें। यदि आपको इसकी अपेक्षा नहीं थी तो किसी टीकाकरण केंद्र को बताएँ।",
		},
	}
}

// accessTemplates are those about who can sign in.
func accessTemplates() map[string]template {
	return map[string]template{
		"signin": {
			en:        "Somebody signed in to Tikakosh with a code sent to your mobile, on {date} at {time}. If that was not you, tell your telephone company and a vaccination centre.",
			hi:        "आपके मोबाइल पर भेजे गए कोड से {date} को {time} बजे टीकाकोष में साइन इन किया गया। यदि यह आप नहीं थे तो अपनी टेलीफोन कंपनी और टीकाकरण केंद्र को बताएँ।",
			places:    map[string]func(string) bool{"date": isDate, "time": isTime},
			emailOnly: true,
		},
		"email-changed": {
			en: "The e-mail address for messages of your household in Tikakosh was set, changed or removed. If you did not do this, sign in and look, and tell a vaccination centre.",
			hi: "टीकाकोष में आपके परिवार के संदेशों का ईमेल पता जोड़ा, बदला या हटाया गया। यदि यह आपने नहीं किया तो साइन इन करके देखें और टीकाकरण केंद्र को बताएँ।",
		},
		"newdevice": {
			en:     "A device that is new to your household signed in to Tikakosh on {date} at {time}. If that was not you, sign in on your own device and end it, or tell a vaccination centre.",
			hi:     "आपके परिवार के लिए नए एक डिवाइस ने {date} को {time} बजे टीकाकोष में साइन इन किया। यदि यह आप नहीं थे तो अपने डिवाइस पर साइन इन करके उसे हटाएँ या टीकाकरण केंद्र को बताएँ।",
			places: map[string]func(string) bool{"date": isDate, "time": isTime},
		},
		"pin-changed": {
			en: "The PIN of your household in Tikakosh was set, changed or removed. If you did not do this, sign in and look, and tell a vaccination centre.",
			hi: "टीकाकोष में आपके परिवार का पिन जोड़ा, बदला या हटाया गया। यदि यह आपने नहीं किया तो साइन इन करके देखें और टीकाकरण केंद्र को बताएँ।",
		},
		"pin-ends": {
			en:     "On {date} at {time} somebody asked to remove the PIN of your household in Tikakosh without giving it. It goes a day later. If that was not you, sign in and give the PIN: then it stays.",
			hi:     "{date} को {time} बजे किसी ने पिन दिए बिना टीकाकोष में आपके परिवार का पिन हटाने को कहा। वह एक दिन बाद हटेगा। यदि यह आप नहीं थे तो साइन इन करके पिन दें: तब वह बना रहेगा।",
			places: map[string]func(string) bool{"date": isDate, "time": isTime},
		},
	}
}
