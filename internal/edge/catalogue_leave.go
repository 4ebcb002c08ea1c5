package edge

// hindiLeave is the part of the catalogue for people who leave.
func hindiLeave() map[string]string {
	return map[string]string{
		"no dose is recorded: the registration can be deleted at once instead": "कोई खुराक दर्ज नहीं है: पंजीकरण तुरंत हटाया जा सकता है",
		"no such tracking number": "ऐसी कोई ट्रैकिंग संख्या नहीं है",
	}
}
