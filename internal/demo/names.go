package demo

// name is a common name part in Latin and Devanagari letters. Combined at
// random they are nobody in particular.
type name struct{ latin, local string }

func familyNames() []name {
	return []name{{"Kumar", "कुमार"}, {"Sharma", "शर्मा"}, {"Patel", "पटेल"}, {"Singh", "सिंह"}, {"Devi", "देवी"}, {"Das", "दास"}, {"Reddy", "रेड्डी"},
		{"Nair", "नायर"}, {"Khan", "ख़ान"}, {"Joseph", "जोसेफ़"}, {"Gupta", "गुप्ता"}, {"Yadav", "यादव"}, {"Mishra", "मिश्रा"}, {"Bose", "बोस"}, {"Rao", "राव"},
		{"Kulkarni", "कुलकर्णी"}, {"Chauhan", "चौहान"}, {"Bhatt", "भट्ट"}, {"Gill", "गिल"}, {"Mandal", "मंडल"}}
}

func givenNames(gender int) []name {
	if gender == 2 {
		return []name{{"Asha", "आशा"}, {"Lakshmi", "लक्ष्मी"}, {"Priya", "प्रिया"}, {"Kavita", "कविता"}, {"Meena", "मीना"}, {"Fatima", "फ़ातिमा"}, {"Sunita", "सुनीता"},
			{"Anjali", "अंजलि"}, {"Rekha", "रेखा"}, {"Gita", "गीता"}, {"Shanti", "शांति"}, {"Mary", "मैरी"}, {"Pooja", "पूजा"}, {"Radha", "राधा"}, {"Usha", "उषा"}}
	}
	return []name{{"Ramesh", "रमेश"}, {"Suresh", "सुरेश"}, {"Arjun", "अर्जुन"}, {"Vijay", "विजय"}, {"Mohammed", "मोहम्मद"}, {"Rajesh", "राजेश"}, {"Krishna", "कृष्ण"},
		{"Anil", "अनिल"}, {"Deepak", "दीपक"}, {"Thomas", "थॉमस"}, {"Harpreet", "हरप्रीत"}, {"Manoj", "मनोज"}, {"Sanjay", "संजय"}, {"Gopal", "गोपाल"}, {"Imran", "इमरान"}}
}
