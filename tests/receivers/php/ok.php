<?php echo "OK";
