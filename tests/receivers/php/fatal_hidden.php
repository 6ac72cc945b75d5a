<?php ini_set("display_errors", "0"); save_contact();
