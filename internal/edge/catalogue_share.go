package edge

// hindiShares is the part of the catalogue for links that open a certificate.
func hindiShares() map[string]string {
	return map[string]string{
		"This link opens nothing: it is not complete, or it has ended":                    "यह लिंक कुछ नहीं खोलता: यह अधूरा है, या समाप्त हो चुका है",
		"There are five links to this certificate already. End one of them first":         "इस प्रमाणपत्र के पाँच लिंक पहले से हैं। पहले उनमें से एक समाप्त करें",
		"days is a number from 1 to 30":                                                   "days 1 से 30 तक की संख्या है",
		"token is too long":                                                               "token बहुत लंबा है",
		"no such link":                                                                    "ऐसा कोई लिंक नहीं है",
		"too many links from this number today; please try again tomorrow":                "आज इस नंबर से बहुत लिंक बने; कृपया कल फिर कोशिश करें",
		"too many links from here that open nothing; please try again later":              "यहाँ से बहुत से ऐसे लिंक आए जो कुछ नहीं खोलते; कृपया बाद में फिर कोशिश करें",
		"this certificate was opened by links too often today; please try again tomorrow": "यह प्रमाणपत्र आज लिंकों से बहुत बार खोला गया; कृपया कल फिर कोशिश करें",
	}
}
