<?php echo $name; echo "OK";
