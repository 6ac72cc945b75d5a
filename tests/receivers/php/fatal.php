<?php save_contact();
