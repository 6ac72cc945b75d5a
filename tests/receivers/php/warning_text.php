<?php ini_set("html_errors", "0"); echo $name; echo "OK";
