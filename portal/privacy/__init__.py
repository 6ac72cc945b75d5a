"""Personal data: how long it is kept, erasing it, and handing it over."""
