package edge

import (
	"maps"
	"strings"
	"sync"
)

// The message catalogue of the API's refusals: the English text as the code
// writes it, and its Hindi. Field names and codes are the contract's and stay.
// A test reads the sources and finds a text that citizens or staff can meet and
// that is missing here.

// hindi is the part of the catalogue for what everybody can meet.
func hindi() map[string]string {
	return map[string]string{
		"Too many requests. Please wait.":    "बहुत अधिक अनुरोध आए। कृपया प्रतीक्षा करें।",
		"Solve the challenge and ask again.": "दी गई पहेली हल करके फिर से माँगें।",
		"The message with the code could not be sent. Nothing is lost: please ask for a code again in half a minute, or go to a vaccination centre.":     "कोड वाला संदेश नहीं भेजा जा सका। कुछ खोया नहीं है: कृपया आधे मिनट में फिर से कोड माँगें, या टीकाकरण केंद्र जाएँ।",
		"It is not known whether the message with the code was sent. A code that still arrives is not valid: please ask for a new one in half a minute.": "यह ज्ञात नहीं है कि कोड वाला संदेश भेजा गया या नहीं। अब आने वाला कोड मान्य नहीं होगा: कृपया आधे मिनट में नया कोड माँगें।",
		"a wish to hear of free places stands for at most 60 days":                                                                                       "जगह खाली होने की सूचना की माँग अधिकतम 60 दिन तक रहती है",
		"this household has three such wishes already; delete one first":                                                                                 "इस परिवार की ऐसी तीन माँगें पहले से हैं; पहले एक हटाएँ",
		"places are told of for days to come":                                                      "सूचना आने वाले दिनों की जगहों की दी जाती है",
		"Something went wrong.":                                                                    "कुछ गड़बड़ हो गई।",
		"The service cannot answer now. Please try again.":                                         "सेवा अभी उत्तर नहीं दे सकती। कृपया फिर से कोशिश करें।",
		"very many people are booking this session; please try again":                              "इस सत्र में बहुत लोग बुकिंग कर रहे हैं; कृपया फिर से कोशिश करें।",
		"this address does not take that method":                                                   "इस पते पर यह विधि नहीं चलती",
		"the appointment is for this session and slot already":                                     "अपॉइंटमेंट इसी सत्र और समय का है",
		"an appointment can be moved until the day before it":                                      "अपॉइंटमेंट उसके एक दिन पहले तक ही बदला जा सकता है",
		"an appointment is moved to a session of the same programme and for the same dose":         "अपॉइंटमेंट उसी कार्यक्रम और उसी खुराक के सत्र में बदला जा सकता है",
		"too many attempts to book from this number today; please try again tomorrow":              "आज इस नंबर से बुकिंग की बहुत कोशिशें हुईं; कृपया कल फिर कोशिश करें",
		"too many cancellations from this number today; please try again tomorrow":                 "आज इस नंबर से बहुत बुकिंग रद्द हुईं; कृपया कल फिर कोशिश करें",
		"too many certificates for this number today; please try again tomorrow":                   "आज इस नंबर के लिए बहुत प्रमाणपत्र बने; कृपया कल फिर कोशिश करें",
		"too many registrations from this number today; please try again tomorrow":                 "आज इस नंबर से बहुत पंजीकरण हुए; कृपया कल फिर कोशिश करें",
		"this session was booked and cancelled several times; please wait before booking it again": "यह सत्र कई बार बुक और रद्द किया गया; इसे फिर बुक करने से पहले प्रतीक्षा करें",
		"the entries for this session's draw are closed; the result will be published":             "इस सत्र की लॉटरी के लिए प्रविष्टियाँ बंद हो चुकी हैं; परिणाम प्रकाशित होगा",
		"too many have entered this draw":                                                          "इस लॉटरी में बहुत अधिक लोग आ चुके हैं",
		"Not found":                                                                                "नहीं मिला",
		"Invalid OTP":                                                                              "ओटीपी मान्य नहीं है",
		"Invalid Pincode":                                                                          "पिन कोड मान्य नहीं है",
		"Invalid Slot Id":                                                                          "समय-खंड मान्य नहीं है",
		"the request body is not the JSON object that is wanted":                                   "अनुरोध अपेक्षित JSON रूप में नहीं है",
		"the request body is too large":                                                            "अनुरोध बहुत बड़ा है",
		"a mobile number has ten digits and begins with 6, 7, 8 or 9":                              "मोबाइल नंबर में दस अंक होते हैं और वह 6, 7, 8 या 9 से शुरू होता है",
		"a date is wanted as dd-mm-yyyy":                                                           "तारीख दिन-माह-वर्ष (dd-mm-yyyy) के रूप में दें",
		"birth_date is not a day up to today":                                                      "birth_date आज तक का कोई दिन नहीं है",
		"birth_year and birth_date contradict each other: birth_date lies in another year":         "birth_year और birth_date मेल नहीं खाते: birth_date किसी और वर्ष की है",
		"birth_year is not plausible":                                                              "birth_year संभव नहीं लगता",
		"comorbidity_ind is Y or N":                                                                "comorbidity_ind Y या N होता है",
		"consent_version is missing":                                                               "consent_version नहीं मिला",
		"consent_version has up to 64 visible characters":                                          "consent_version में 64 तक दिखने वाले अक्षर होते हैं",
		"gender_id is not one of the listed genders":                                               "gender_id सूची में नहीं है",
		"photo_id_type is not one of the listed documents":                                         "photo_id_type सूची में नहीं है",
		"photo_id_number does not look like a number of that document":                             "photo_id_number उस पहचान पत्र का नंबर नहीं लगता",
		"this id document is already registered under this mobile":                                 "यह पहचान पत्र इस मोबाइल पर पहले से पंजीकृत है",
		"six people can be registered under one mobile":                                            "एक मोबाइल पर छह लोग पंजीकृत हो सकते हैं",
		"a vaccinated person's registration cannot be deleted":                                     "जिसे टीका लग चुका है उसका पंजीकरण हटाया नहीं जा सकता",
		"cancel the appointment before taking the person off the list":                             "व्यक्ति को सूची से हटाने से पहले अपॉइंटमेंट रद्द करें",
		"too many attempts to book from a new device today; please try again tomorrow":             "आज नए डिवाइस से बुकिंग की बहुत अधिक कोशिशें हुईं; कृपया कल फिर कोशिश करें",
		"cancel the appointment before deleting the registration":                                  "पंजीकरण हटाने से पहले अपॉइंटमेंट रद्द करें",
		"a reference id has 14 digits and its check digit must match":                              "संदर्भ संख्या में 14 अंक होते हैं और जाँच अंक सही होना चाहिए",
		"no beneficiary named":                                                                     "किसी लाभार्थी का नाम नहीं दिया गया",
		"a beneficiary is named twice":                                                             "एक लाभार्थी दो बार दिया गया है",
		"one to six beneficiaries are wanted":                                                      "एक से छह लाभार्थी दें",
		"a dose number from 1 is wanted":                                                           "खुराक की संख्या 1 से दें",
		"this person already has an appointment; cancel it first":                                  "इस व्यक्ति का अपॉइंटमेंट पहले से है; पहले उसे रद्द करें",
		"somebody has a live appointment, or one still being cancelled":                            "किसी का अपॉइंटमेंट चालू है या अभी रद्द हो रहा है",
		"this time of the day is over; choose a later slot":                                        "यह समय बीत चुका है; बाद का समय चुनें",
		"another attempt at this booking was given up; try again":                                  "इस बुकिंग की एक और कोशिश छोड़ दी गई; फिर से कोशिश करें",
		"another booking of this household was begun meanwhile":                                    "इस बीच इस परिवार की एक और बुकिंग शुरू हुई",
		"this person cannot be booked here":                                                        "इस व्यक्ति की बुकिंग यहाँ नहीं हो सकती",
		"places were held and not booked too often; please wait before holding more":               "जगहें कई बार रोकी गईं और बुक नहीं की गईं; और रोकने से पहले कृपया कुछ देर रुकें",
		"the place was given up before the booking was complete":                                   "बुकिंग पूरी होने से पहले स्थान छूट गया; फिर से कोशिश करें",
		"this hold has ended":                                                                      "यह बुकिंग समाप्त हो चुकी है",
		"the record changed meanwhile; try again":                                                  "इस बीच रिकॉर्ड बदल गया; फिर से कोशिश करें",
		"the record is being changed by others; try again":                                         "रिकॉर्ड अभी बदला जा रहा है; फिर से कोशिश करें",
		"the appointment changed meanwhile":                                                        "इस बीच अपॉइंटमेंट बदल गया",
		"the session offers no known vaccine":                                                      "इस सत्र में कोई ज्ञात टीका नहीं है",
		"online booking for this session has closed":                                               "इस सत्र की ऑनलाइन बुकिंग बंद हो चुकी है",
		"the session is completely booked":                                                         "इस सत्र के सभी स्थान भर चुके हैं",
		"This vaccination center is completely booked for the selected date. Please try another date or vaccination center.": "चुनी गई तारीख के लिए यह टीकाकरण केंद्र पूरा भर चुका है। कृपया दूसरी तारीख या केंद्र चुनें।",
		"this card was made before and is not shown again; make another one":                                                 "यह कार्ड पहले ही बन चुका है और फिर नहीं दिखाया जाता; एक और बनाएँ",
		"this link was made before and is not shown again; make another one":                                                 "यह लिंक पहले ही बन चुका है और फिर नहीं दिखाया जाता; एक और बनाएँ",
		"this idempotency key came with another request":                                                                     "यह कुंजी किसी दूसरे अनुरोध के साथ आ चुकी है",
		"this idempotency key was used with another request":                                                                 "यह कुंजी किसी दूसरे अनुरोध के साथ आ चुकी है",
		"what this idempotency key registered has been deleted; use a new key":                                               "इस कुंजी से किया गया पंजीकरण हटाया जा चुका है; नई कुंजी लें",
		"an idempotency key of 1 to 200 bytes is wanted":                                                                     "1 से 200 बाइट की कुंजी दें",
		"Idempotency-Key has up to 64 visible characters":                                                                    "Idempotency-Key में 64 तक दिखने वाले अक्षर होते हैं",
		"all doses of this vaccine are recorded":                                                                             "इस टीके की सभी खुराकें दर्ज हैं",
		"this is not the next dose":                                                                                          "यह अगली खुराक नहीं है",
		"the person is too young for this session or vaccine":                                                                "इस सत्र या टीके के लिए व्यक्ति की आयु कम है",
		"the person is too old for this session or vaccine":                                                                  "इस सत्र या टीके के लिए व्यक्ति की आयु अधिक है",
		"the earlier dose was of another vaccine":                                                                            "पिछली खुराक दूसरे टीके की थी",
		"vaccine is not one of the listed products":                                                                          "टीका सूची में नहीं है",
		"The security code does not match an appointment of this person at this centre today; see the slip: centre and day":  "बुकिंग कोड इस केंद्र पर आज इस व्यक्ति के किसी अपॉइंटमेंट से मेल नहीं खाता; पर्ची पर केंद्र और दिन देखें",
		"too many wrong security codes today; a colleague has to go on":                                                      "आज बहुत बार गलत बुकिंग कोड डाला गया; आगे कोई सहकर्मी काम करे",
		"vaccine or date differ from the open session":                                                                       "टीका या तारीख खुले सत्र से अलग है",
		"the dose is malformed":                                                                                              "खुराक का विवरण सही रूप में नहीं है",
		"vaccine_batch has letters, digits and hyphens only":                                                                 "vaccine_batch में केवल अक्षर, अंक और हाइफ़न होते हैं",
		"only a vaccinator of the centre records its doses":                                                                  "केंद्र की खुराकें केवल उसका टीकाकर्मी दर्ज करता है",
		"only the centre's manager opens its sessions":                                                                       "केंद्र के सत्र केवल उसका प्रबंधक खोलता है",
		"the dose of this appointment has been recorded":                                                                     "इस अपॉइंटमेंट की खुराक दर्ज हो चुकी है",
		"the dose of this appointment is being recorded":                                                                     "इस अपॉइंटमेंट की खुराक अभी दर्ज हो रही है",
		"another dose was recorded for this appointment; it stays as it is":                                                  "इस अपॉइंटमेंट पर दूसरी खुराक दर्ज हो चुकी है; वह वैसी ही रहेगी",
		"this reference number names two booked people":                                                                      "इस संदर्भ संख्या पर दो लोग बुक हैं",
		"a session is opened on its own day":                                                                                 "सत्र अपने ही दिन खोला जाता है",
		"session_id is not a session of this centre":                                                                         "session_id इस केंद्र का सत्र नहीं है",
		"the session's facts are malformed":                                                                                  "सत्र का विवरण सही रूप में नहीं है",
		"a session needs center_id, session_id, date, zone and the centre's name":                                            "सत्र के लिए center_id, session_id, date, zone और केंद्र का नाम दें",
		"the session's texts hold characters that cannot be shown, or are too long":                                          "सत्र के विवरण में न दिखने वाले अक्षर हैं या वह बहुत लंबा है",
	}
}

// wholeTexts are the parts of the catalogue, by subject.
func wholeTexts() []func() map[string]string {
	return []func() map[string]string{hindi, hindiCards, hindiDoses, hindiPartners, hindiMessages, hindiLeave, hindiAway, hindiRoster, hindiIdentity, hindiDevices, hindiGlass, hindiRelink, hindiRequests, hindiShares}
}

// hindiForms are texts with a part that varies: beginning and end in English,
// then in Hindi.
func hindiForms() [][4]string {
	return [][4]string{
		{"Input parameter missing: ", "", "यह जानकारी नहीं मिली: ", ""},
		{"", " has to be a day as dd-mm-yyyy", "", " दिन-माह-वर्ष (dd-mm-yyyy) के रूप में दें"},
		{"", " has to be a day as yyyy-mm-dd", "", " वर्ष-माह-दिन (yyyy-mm-dd) के रूप में दें"},
		{"", " has to be a PIN code of six digits", "", " छह अंकों का पिन कोड होना चाहिए"},
		{"", " has to be a number", "", " एक संख्या होनी चाहिए"},
		{"", " is too long or has control characters", "", " बहुत लंबा है या उसमें न दिखने वाले अक्षर हैं"},
		{"", " is a positive number", "", " एक धनात्मक संख्या होती है"},
		{"", " is not that of the published session", "", " प्रकाशित सत्र का नहीं है"},
		{"this dose cannot be booked before ", "", "यह खुराक इस तारीख से पहले नहीं ली जा सकती: ", ""},
		{"these policies are refused: ", "", "ये नीतियाँ अस्वीकार की गईं: ", ""},
		{"this name cannot be taken: ", "it has an invisible character", "यह नाम नहीं लिया जा सकता: ", "इसमें न दिखने वाला अक्षर है"},
		{"this name cannot be taken: ", "it has more than 100 characters", "यह नाम नहीं लिया जा सकता: ", "यह 100 अक्षरों से लंबा है"},
		{"this name cannot be taken: ", "it has a character that names do not have", "यह नाम नहीं लिया जा सकता: ", "इसमें ऐसा चिह्न है जो नामों में नहीं होता"},
		{"this name cannot be taken: ", "it has a mark without a letter", "यह नाम नहीं लिया जा सकता: ", "इसमें बिना अक्षर की मात्रा है"},
		{"this name cannot be taken: ", "it has no letter", "यह नाम नहीं लिया जा सकता: ", "इसमें कोई अक्षर नहीं है"},
		{"this name cannot be taken: ", "it has too many marks on one letter", "यह नाम नहीं लिया जा सकता: ", "एक अक्षर पर बहुत अधिक चिह्न हैं"},
		{"this name cannot be taken: ", "it is too long or not text", "यह नाम नहीं लिया जा सकता: ", "यह बहुत लंबा है या पाठ नहीं है"},
		{"Too many codes were requested. Wait ", " minutes, or go to a vaccination centre.", "बहुत अधिक कोड माँगे गए। ", " मिनट प्रतीक्षा करें, या टीकाकरण केंद्र जाएँ।"},
		{"Too many codes were requested. Wait ", " hours, or go to a vaccination centre.", "बहुत अधिक कोड माँगे गए। ", " घंटे प्रतीक्षा करें, या टीकाकरण केंद्र जाएँ।"},
	}
}

// The catalogue as it is looked up, made once.
var (
	hindiWhole = sync.OnceValue(func() map[string]string {
		out := map[string]string{}
		for _, part := range wholeTexts() {
			maps.Copy(out, part())
		}
		return out
	})
	hindiParts = sync.OnceValue(hindiForms)
)

// inLanguage is a refusal's text in the caller's language: "hi", or English.
func inLanguage(language, text string) string {
	if language != "hi" {
		return text
	}
	if t, ok := hindiWhole()[text]; ok {
		return t
	}
	for _, f := range hindiParts() {
		if rest, ok := strings.CutPrefix(text, f[0]); ok {
			if middle, ok := strings.CutSuffix(rest, f[1]); ok && (f[1] != "" || f[0] != "") {
				return f[2] + middle + f[3]
			}
		}
	}
	return text
}
