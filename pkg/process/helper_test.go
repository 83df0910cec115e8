package process_test

func helperMain() {}
