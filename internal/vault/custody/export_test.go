package custody

// Exercise is what every custody must do.
var Exercise = exercise
